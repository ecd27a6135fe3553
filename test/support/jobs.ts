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

/**
 * Works until it is told to stop. `polite` cleans up for `tidyMs` when its signal is aborted and says how long that
 * took to come; not polite, it goes on reporting and returns a result after `lastsMs`.
 */
export const STUBBORN = `
import { defineJob } from 'headway';
import { z } from 'zod';

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
export default defineJob({
  name: 'stubborn',
  input: z.strictObject({ polite: z.boolean(), tidyMs: z.number().default(0), lastsMs: z.number().default(60000) }),
  result: z.object({ done: z.boolean() }),
  defaults: { cancelGraceMs: 400 },
  async run({ polite, tidyMs, lastsMs }, ctx) {
    const end = Date.now() + lastsMs;
    for (let i = 0; Date.now() < end; i++) {
      ctx.progress(i % 100);
      if (polite && ctx.signal.aborted) {
        ctx.log('stopping: ' + ctx.signal.reason.why);
        await sleep(tidyMs);
        ctx.log('tidied up');
        throw ctx.signal.reason;
      }
      await sleep(5);
    }
    ctx.log('done after all');
    return { done: true };
  },
});
`;

/** Fails a given number of times, then is done. */
export const FLAKY = `
import { defineJob, PermanentError } from 'headway';
import { z } from 'zod';

export default defineJob({
  name: 'flaky',
  input: z.strictObject({ failures: z.number(), permanent: z.boolean().default(false) }),
  result: z.object({ attempt: z.number() }),
  defaults: { attempts: 3, backoff: { type: 'fixed', delayMs: 200 } },
  async run({ failures, permanent }, ctx) {
    ctx.progress(10 * ctx.attempt);
    if (ctx.attempt <= failures) throw permanent ? new PermanentError('never') : new Error('no luck');
    return { attempt: ctx.attempt };
  },
});
`;
