import { createHash, randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { validate } from '../../../src/shared/jobs/schema.js';
import definition from '../../../src/worker/jobs/checksum.js';
import { runOnFile } from '../../support/run-job.js';

// biome-ignore lint/suspicious/noExplicitAny: the type of the input depends on the schema
const job = definition as any;

it.each(['sha256', 'sha1', 'sha512', 'sha3-256', 'blake2b512', 'md5'])(
  'computes the %s digest of a file',
  async (algorithm) => {
    const content = randomBytes(1_000_000);
    const { result, seen } = await runOnFile(job, content, { data: { algorithm } });
    expect(result).toEqual({
      algorithm,
      digest: createHash(algorithm).update(content).digest('hex'),
      bytes: 1_000_000,
    });
    expect(seen.at(-1)).toMatchObject({ percent: 100, current: 1_000_000, unit: 'bytes' });
  },
);

it('computes the digest of an empty file', async () => {
  const { result } = await runOnFile(job, '', { data: { algorithm: 'sha256' } });
  expect(result).toMatchObject({ bytes: 0, digest: createHash('sha256').digest('hex') });
});

it('uses sha256 by default, and rejects an unknown algorithm', async () => {
  const file = `file_${'A'.repeat(27)}`;
  expect(await validate(definition.input, { file })).toEqual({ value: { file, algorithm: 'sha256' } });
  expect((await validate(definition.input, { file, algorithm: 'rot13' })).errors?.[0]?.pointer).toBe(
    '/algorithm',
  );
});
