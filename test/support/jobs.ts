import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './folder.js';

/**
 * A folder for `JOBS_DIR` with jobs that tests steer: through Redis lists and keys, or through marks that they
 * leave there.
 */
export function testJobs(files: Record<string, string>): string {
  const dir = temporaryFolder();
  for (const [name, content] of Object.entries(files)) writeFileSync(join(dir, name), content);
  return dir;
}

/**
 * Is told from outside what to do in each turn of its loop, by `lpush <turns> <what>`: a number is a percent, `end` ends
 * it, `fail` fails it, and there are `log <line>`, `emit {"type", "data"}` and `partial [chunk, …]`.
 */
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
        const [, verb, what] = /^([a-z]+) ([^]*)/.exec(turn) ?? [];
        if (verb === 'log') ctx.log(what);
        else if (verb === 'emit') ctx.emit(JSON.parse(what).type, JSON.parse(what).data);
        else if (verb === 'partial') for (const chunk of JSON.parse(what)) ctx.partial(chunk);
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

/** The same job in a thread of its own. */
export const inThread = (job: string): string =>
  job.replace('defineJob({', 'defineJob({ thread: true,').replace(/name: '([a-z-]+)'/, "name: '$1-thread'");

/**
 * Computes for `ms` without ever yielding, in a thread. With `reports` it tells its progress all the time and ends when
 * it sees that it has to.
 */
export const BURN = `
import { defineJob } from 'headway';
import { z } from 'zod';

export default defineJob({
  name: 'burn',
  input: z.strictObject({ ms: z.number(), reports: z.boolean().default(false) }),
  result: z.object({ rounds: z.number() }),
  defaults: { cancelGraceMs: 400 },
  thread: true,
  run({ ms, reports }, ctx) {
    const begun = Date.now();
    let rounds = 0;
    for (let passed = 0; passed < ms; passed = Date.now() - begun) {
      rounds++;
      if (!reports) continue;
      ctx.progress((100 * passed) / ms);
      if (!ctx.signal.aborted) continue;
      ctx.log('stopping: ' + ctx.signal.reason.why);
      throw ctx.signal.reason;
    }
    return { rounds };
  },
});
`;

/** Comes to the end that it is asked for, in a thread. */
export const ENDS = `
import { writeFile } from 'node:fs/promises';
import { defineJob, PermanentError, resultFile } from 'headway';
import { z } from 'zod';

export default defineJob({
  name: 'ends',
  input: z.strictObject({ how: z.string(), at: z.string().default('2026-01-01').transform((at) => new URL('/' + at, 'http://x')) }),
  result: z.unknown(),
  thread: true,
  async run({ how, at }, ctx) {
    ctx.log('before the end');
    ctx.partial('so far');
    if (how === 'exit') process.exit(3);
    if (how === 'uncaught') {
      setTimeout(() => { throw new TypeError('thrown at nobody'); });
      await new Promise(() => {});
    }
    if (how === 'memory') for (const kept = [];;) kept.push(new Array(1e5).fill(kept.length));
    if (how === 'permanent') throw new PermanentError('it will never work');
    if (how === 'unrecoverable') throw Object.assign(new Error('no use'), { name: 'UnrecoverableError' });
    if (how === 'error') throw Object.assign(new RangeError('too far'), { code: 'E_FAR' });
    if (how === 'no such file') await ctx.files.open('file_' + 'A'.repeat(27));
    if (how === 'uncloneable') return { run: () => {} };
    if (how === 'file') return { path: at.pathname, file: await ctx.files.create('a.txt', (path) => writeFile(path, 'of a thread')) };
    return null;
  },
});
`;
