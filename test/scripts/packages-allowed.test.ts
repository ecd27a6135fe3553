import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { capture } from '../../scripts/lib/command.mjs';
import { licenceProblems, satisfies } from '../../scripts/lib/licences.mjs';
import { temporaryFolder } from '../support/folder.js';

describe('npm run licences', () => {
  it('accepts our packages', () => {
    expect(licenceProblems('.')).toEqual([]);
  });

  it('names each package whose licence is unknown or not on the list', () => {
    const root = temporaryFolder();
    const packages = {
      '': { license: 'UNLICENSED' },
      'node_modules/fine': { version: '1.0.0', license: '(MIT OR GPL-3.0-only)' },
      'node_modules/tool': { version: '1.0.0', license: 'MPL-2.0', dev: true },
      'node_modules/copyleft': { version: '1.2.3', license: 'GPL-3.0-only' },
      'node_modules/in-dist': { version: '1.0.0', license: 'MPL-2.0' },
      'node_modules/fine/node_modules/silent': { version: '0.1.0' },
      'node_modules/old': { version: '2.0.0' },
      'node_modules/@img/sharp-linux-x64': { version: '1.0.0', license: 'Apache-2.0 AND AGPL-3.0-only' },
    };
    writeFileSync(join(root, 'package-lock.json'), JSON.stringify({ packages }));
    mkdirSync(join(root, 'node_modules/old'), { recursive: true });
    const old = { licenses: [{ type: 'MIT' }, { type: 'GPL-2.0' }] };
    writeFileSync(join(root, 'node_modules/old/package.json'), JSON.stringify(old));
    expect(licenceProblems(root)).toEqual([
      'copyleft 1.2.3 has the licence GPL-3.0-only, which is not on the list',
      'in-dist 1.0.0 has the licence MPL-2.0, which is not on the list',
      'silent 0.1.0 names no licence',
      '@img/sharp-linux-x64 1.0.0 has the licence Apache-2.0 AND AGPL-3.0-only, which is not on the list',
    ]);
  });

  it.each([
    ['MIT', true],
    ['GPL-3.0-only', false],
    ['MIT AND GPL-3.0-only', false],
    ['GPL-3.0-only OR (MIT AND ISC)', true],
    ['Apache-2.0 WITH LLVM-exception', true],
    ['SEE LICENSE IN LICENSE', false],
    ['MIT GPL-3.0-only', false],
    ['', false],
  ])('reads the SPDX expression "%s"', (expression, expected) => {
    expect(satisfies(expression, (id: string) => ['MIT', 'ISC', 'Apache-2.0'].includes(id))).toBe(expected);
  });
});

describe('npm run audit', () => {
  let registry: Server;
  let answer: { status: number; body: unknown };
  beforeAll(async () => {
    // npm asks for the advisories, and then for the versions of a package that has one.
    const { version } = JSON.parse(readFileSync('node_modules/helmet/package.json', 'utf8')) as {
      version: string;
    };
    const versions = { [version]: { name: 'helmet', version, dist: {} } };
    const packument = { name: 'helmet', versions, 'dist-tags': { latest: version } };
    registry = createServer((req, res) => {
      const { status, body } = req.method === 'GET' ? { status: 200, body: packument } : answer;
      req.resume().on('end', () => res.writeHead(status).end(JSON.stringify(body)));
    }).listen(0, '127.0.0.1');
    await once(registry, 'listening');
  });
  afterAll(() => registry.close());

  const advisory = (severity: string) => ({
    helmet: [
      { id: 1, url: 'https://example.org/1', title: 'Bad header', severity, vulnerable_versions: '<99' },
    ],
  });

  it.each([
    ['a critical vulnerability fails', 200, advisory('critical'), 1, 'error: helmet: critical: Bad header'],
    ['a moderate one does not', 200, advisory('moderate'), 0, 'of the service: 1, high or critical: 0.'],
    ['a registry that refuses is a warning', 405, {}, 0, 'warning: npm audit has not run'],
  ])('%s', async (_, status, body, code, text) => {
    answer = { status, body };
    const { port } = registry.address() as AddressInfo;
    const result = await capture(process.execPath, [
      'scripts/audit.mjs',
      `--registry=http://127.0.0.1:${port}`,
      // npm keeps what a registry has said.
      `--cache=${temporaryFolder()}`,
    ]);
    expect(result).toEqual({ code, output: expect.stringContaining(text) });
  });
});
