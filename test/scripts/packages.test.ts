import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readable } from '../../scripts/lib/log-lines.mjs';
import { checkNode, packagesStale } from '../../scripts/lib/packages.mjs';
import { temporaryFolder } from '../support/folder.js';

describe('before the start', () => {
  it('an old Node is rejected', () => {
    expect(() => checkNode('18.20.0')).toThrow('Node 18.20.0 is too old: Headway needs Node 20.19 or newer');
    expect(() => checkNode('20.18.3')).toThrow('too old');
    for (const version of ['20.19.0', '22.0.0', '24.1.0']) expect(checkNode(version)).toBeUndefined();
  });

  it('packages are stale if they are missing or differ from the lock file', () => {
    const root = temporaryFolder();
    writeFileSync(join(root, 'package-lock.json'), '{}');
    expect(packagesStale(root)).toBe(true);
    mkdirSync(join(root, 'node_modules'));
    expect(packagesStale(root)).toBe(true);
  });
});

describe('log lines', () => {
  it('are made readable if they are JSON from pino', () => {
    const line = JSON.stringify({
      level: 40,
      time: 1,
      name: 'api',
      msg: 'careful',
      port: 1,
      err: { message: 'no' },
    });
    expect(readable(line)).toBe('warning: careful (no)  port=1');
  });

  it.each(['plain', '{"level":', '{"other":1}'])('are not changed otherwise: %s', (line) => {
    expect(readable(line)).toBe(line);
  });
});
