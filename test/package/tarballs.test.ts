import { readFileSync } from 'node:fs';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { beforeAll, describe, expect, it } from 'vitest';
import { FOLDERS, manifestOf } from '../../scripts/lib/npm-packages.mjs';
import { OPTIONAL } from '../../src/shared/process/optional-packages.js';
import { packedProject, packTarballs } from '../support/project.js';

let tarballs: Record<'client' | 'server', string>;

beforeAll(async () => {
  tarballs = await packTarballs(packedProject());
});

describe.each(FOLDERS)('the package in packages/%s', (folder) => {
  it('passes publint', async () => {
    const tarball = new Uint8Array(readFileSync(tarballs[folder])).buffer;
    const { messages, pkg } = await publint({ pack: { tarball }, strict: true });
    expect(messages.map((message) => formatMessage(message, pkg!))).toEqual([]);
  });

  it('has correct types for each export and each way to resolve it', async () => {
    const result = await checkPackage(createPackageFromTarballData(readFileSync(tarballs[folder])));
    const problems = 'problems' in result ? result.problems : ['no types'];
    // Every Node that the packages support can `require` an ES module: see test/recipes/installing.test.ts.
    const real = problems.filter(
      (problem) => typeof problem === 'string' || problem.kind !== 'CJSResolvesToESM',
    );
    expect(real).toEqual([]);
  });

  it('names its repository and its provenance when it is published', () => {
    expect(manifestOf(folder, 'someone/headway')).toMatchObject({
      publishConfig: { access: 'public', provenance: true },
      repository: { url: 'git+https://github.com/someone/headway.git', directory: `packages/${folder}` },
    });
  });
});

it('the server names the packages that only some features need', () => {
  const needed = Object.values(OPTIONAL).flatMap(({ packages }) => [...packages]);
  const { peerDependencies, peerDependenciesMeta } = manifestOf('server');
  expect(Object.keys(peerDependencies ?? {}).sort()).toEqual([...needed].sort());
  expect(peerDependenciesMeta).toEqual(Object.fromEntries(needed.map((name) => [name, { optional: true }])));
  for (const { packages } of Object.values(OPTIONAL)) {
    expect(readFileSync('packages/server/README.md', 'utf8')).toContain(packages.join(' '));
  }
});
