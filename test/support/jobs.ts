import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './processes.js';

/**
 * A folder for `JOBS_DIR` with jobs that tests steer: through Redis lists and keys, or through marks that they
 * leave there.
 */
export function testJobs(files: Record<string, string>): string {
  const dir = temporaryFolder();
  for (const [name, content] of Object.entries(files)) writeFileSync(join(dir, name), content);
  return dir;
}

/** Takes a number for each turn of its loop from the outside: `lpush turns:<id> <percent>` ("end" ends it, "fail" fails it). */
export const STEERED = `
import { defineJob } from 'headway';
import { z } from 'zod';
import { Redis } from '${join(process.cwd(), 'node_modules/ioredis/built/index.js')}';

export default defineJob({
  name: 'steered',
  input: z.strictObject({ turns: z.string() }),
  result: z.object({ attempt: z.number() }),
  async run({ turns }, ctx) {
    const redis = new Redis(process.env.REDIS_URL, { maxRetriesPerRequest: null });
    redis.on('error', () => {});
    try {
      for (;;) {
        const turn = (await redis.brpop(turns, 1).catch(() => undefined))?.[1];
        ctx.signal.throwIfAborted();
        if (turn === undefined) continue;
        if (turn === 'end') return { attempt: ctx.attempt };
        if (turn === 'fail') throw new Error('told to fail');
        if (turn.startsWith('log ')) ctx.log(turn.slice(4));
        else ctx.progress(JSON.parse(turn));
      }
    } finally {
      redis.disconnect();
    }
  },
});
`;
