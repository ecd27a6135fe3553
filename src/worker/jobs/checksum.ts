import { createHash } from 'node:crypto';
import { z } from 'zod';
import { fileId } from '../../shared/files/reference.js';
import { defineJob } from '../../shared/jobs/definition.js';

const algorithms = [
  'sha256',
  'sha1',
  'sha384',
  'sha512',
  'sha3-256',
  'sha3-512',
  'blake2b512',
  'md5',
] as const;

export default defineJob({
  name: 'checksum',
  description: 'Computes the digest of a file.',
  input: z.strictObject({
    file: fileId(),
    algorithm: z.enum(algorithms).default('sha256').describe('Hash algorithm'),
  }),
  defaults: { timeoutMs: 3 * 3_600_000 },
  result: z.object({ algorithm: z.enum(algorithms), digest: z.string(), bytes: z.number().int() }),
  async run({ file, algorithm }, ctx) {
    const source = await ctx.files.read(file);
    const hash = createHash(algorithm);
    let bytes = 0;
    ctx.progress({ current: 0, total: source.size, unit: 'bytes' });
    for await (const chunk of source.stream()) {
      ctx.signal.throwIfAborted();
      hash.update(chunk as Buffer);
      bytes += (chunk as Buffer).length;
      ctx.progress({ current: bytes, total: source.size, unit: 'bytes' });
    }
    return { algorithm, digest: hash.digest('hex'), bytes };
  },
});
