import { join } from 'node:path';
import { testJobs } from './jobs.js';

const IOREDIS = join(process.cwd(), 'node_modules/ioredis/built/index.js');

/**
 * A child that says in Redis that it runs (`hincrby begun <key>`), and ends when it is let: at once, or once the list
 * `gate` has something for it. `fails` times it fails.
 */
const LEAF = `
import { defineJob, PermanentError } from 'headway';
import { z } from 'zod';
import { Redis } from '${IOREDIS}';

const redis = new Redis(process.env.REDIS_URL, { maxRetriesPerRequest: null });
redis.on('error', () => {});
export default defineJob({
  name: 'leaf',
  input: z.strictObject({
    n: z.number().int(),
    gate: z.string().optional(),
    fails: z.number().default(0),
    permanent: z.boolean().default(false),
  }),
  result: z.object({ double: z.number() }),
  concurrency: 8,
  async run({ n, gate, fails, permanent }, ctx) {
    const begun = await redis.hincrby('begun', n, 1);
    ctx.progress(50);
    while (gate && !(await redis.rpop(gate))) {
      ctx.signal.throwIfAborted();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    if (begun <= fails) throw permanent ? new PermanentError('bad apple') : new Error('bad apple');
    return { double: 2 * n };
  },
});
`;

/** Starts `count` leaves and does with their ends what `choice` says. */
const TREE = `
import { ChildFailedError, defineJob } from 'headway';
import { z } from 'zod';

export default defineJob({
  name: 'tree',
  input: z.strictObject({
    count: z.number().int(),
    gate: z.string().optional(),
    fails: z.number().default(0),
    permanent: z.boolean().default(false),
    bad: z.number().default(1),
    choice: z.enum(['all', 'settled', 'ignore', 'fail', 'leave']).default('all'),
    throwAfter: z.boolean().default(false),
  }),
  result: z.any(),
  async run({ count, gate, fails, permanent, bad, choice, throwAfter }, ctx) {
    const children = Array.from({ length: count }, (_, n) =>
      ctx.child(
        'leaf',
        { n, gate, ...(n === bad ? { fails, permanent } : {}) },
        choice === 'ignore' || choice === 'fail' ? { onFailure: choice } : {},
      ),
    );
    if (choice === 'leave') {
      await Promise.race(children);
      if (throwAfter) throw new Error('told to');
      return { left: count };
    }
    if (choice === 'settled') {
      const ends = await Promise.allSettled(children);
      return ends.map(({ value, reason }) =>
        value ? value.double : { isOurs: reason instanceof ChildFailedError, ...reason, message: reason.message },
      );
    }
    if (choice === 'fail') {
      await new Promise((_, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason)));
    }
    const results = await Promise.all(children);
    return { sum: results.reduce((sum, result) => sum + (result?.double ?? 0), 0), missing: results.filter((r) => !r).length };
  },
});
`;

/** Has a stage of its own numbers, one that its children move, and one in which it speaks for them. */
const STAGED = `
import { defineJob } from 'headway';
import { z } from 'zod';

export default defineJob({
  name: 'staged',
  input: z.any(),
  result: z.any(),
  stages: { plan: 1, children: 2 },
  async run(_, ctx) {
    ctx.stage('plan');
    ctx.progress({ current: 1, total: 1 });
    ctx.stage('children');
    ctx.progress({ message: 'Waiting for two' });
    const children = [1, 3].map((weight, n) => ctx.child('leaf', { n, gate: 'gate' + n }, { weight, key: 'c' + n }));
    const again = ctx.child('leaf', { n: 0 }, { key: 'c0' });
    await Promise.all(children);
    ctx.stage('rest', { weight: 1 });
    ctx.progress({ current: 1, total: 10, unit: 'things' });
    await ctx.child('leaf', { n: 2 });
    return { same: (await again).double === (await children[0]).double };
  },
});
`;

/** A job that does nothing but start a child, if it has one. */
const link = (name: string, queue: string, child = ''): string => `
import { defineJob } from 'headway';
import { z } from 'zod';

export default defineJob({
  name: '${name}',
  queue: '${queue}',
  input: z.any(),
  result: z.any(),
  run: (data, ctx) => ('${child}' ? ctx.child('${child}', data) : 'done'),
});
`;

const inThread = (job: string): string => job.replace('  input:', '  thread: true,\n  input:');

export interface FamilyOptions {
  /** Whether the parents run in threads. */
  thread?: boolean;
  /** Whether the children do. */
  leafThread?: boolean;
}

/** A folder for `JOBS_DIR` with parents (`tree`) and children (`leaf`), and families that cannot be. */
export const familyJobs = (options?: FamilyOptions): string => testJobs(familyFiles(options));

/** The files of {@link familyJobs}. */
export function familyFiles({ thread, leafThread }: FamilyOptions = {}): Record<string, string> {
  const parent = (job: string): string => (thread ? inThread(job) : job);
  return {
    'leaf.mjs': leafThread ? inThread(LEAF) : LEAF,
    'tree.mjs': parent(TREE),
    'staged.mjs': parent(STAGED),
    'twin.mjs': parent(link('twin', 'twins', 'other-twin')),
    'other-twin.mjs': link('other-twin', 'twins'),
    'stray.mjs': parent(link('stray', 'strays', 'nobody')),
    'unfit.mjs': parent(link('unfit', 'unfits', 'leaf')),
    'grandparent.mjs': parent(link('grandparent', 'elders', 'parent')),
    'parent.mjs': parent(link('parent', 'adults', 'grandchild')),
    'grandchild.mjs': link('grandchild', 'elders'),
  };
}
