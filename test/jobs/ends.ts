import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { defineJob, PermanentError } from 'headway-jobs';
import { z } from 'zod';

const untilAborted = async (signal: AbortSignal): Promise<never> => {
  await once(signal, 'abort');
  throw signal.reason;
};

/** Ends in the way that its data names, in a thread. */
export default defineJob({
  name: 'ends',
  input: z.strictObject({
    how: z.string(),
    at: z
      .string()
      .default('2026-01-01')
      .transform((at) => new URL(`/${at}`, 'http://x')),
  }),
  result: z.unknown(),
  thread: true,
  memoryMb: 48,
  defaults: { attempts: 3, timeoutMs: 60_000 },
  async run({ how, at }, ctx) {
    ctx.log('before the end');
    ctx.partial('so far');
    if (how === 'exit') process.exit(3);
    if (how === 'uncaught') {
      setTimeout(() => {
        throw new TypeError('thrown at nobody');
      });
      await new Promise(() => {});
    }
    if (how === 'memory') for (const kept: number[][] = []; ; ) kept.push(new Array(1e5).fill(kept.length));
    if (how === 'wait') await untilAborted(ctx.signal);
    if (how === 'buffers') {
      for (const kept: Buffer[] = []; ; await nextTurn()) kept.push(Buffer.alloc(1 << 20, 1));
    }
    // Neither yields nor calls `ctx`.
    if (how === 'busy buffers') for (const kept: Buffer[] = []; ; ) kept.push(Buffer.alloc(1 << 20, 1));
    if (how === 'permanent') throw new PermanentError('it will never work');
    if (how === 'unrecoverable') throw Object.assign(new Error('no use'), { name: 'UnrecoverableError' });
    if (how === 'error') throw Object.assign(new RangeError('too far'), { code: 'E_FAR' });
    if (how === 'no such file') await ctx.files.open(`file_${'A'.repeat(27)}`);
    if (how === 'uncloneable') return { run: () => {} };
    if (how === 'file') {
      const file = await ctx.files.create('a.txt', (path) => writeFile(path, 'of a thread'));
      return { path: at.pathname, file };
    }
    return null;
  },
});
