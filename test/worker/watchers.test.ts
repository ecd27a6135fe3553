import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Headway, startHeadway } from '../support/headway.js';
import { testJobs } from '../support/jobs.js';
import { openStream } from '../support/sse.js';
import { until } from '../support/until.js';

/** Logs the number of viewers whenever it changes, until there have been three. */
const job = (name: string, thread: boolean): string => `
import { setTimeout as wait } from 'node:timers/promises';
import { defineJob } from 'headway';
import { z } from 'zod';
export default defineJob({
  name: '${name}',
  thread: ${thread},
  input: z.object({}),
  result: z.array(z.number()),
  async run(_data, ctx) {
    const seen = [];
    while (seen.at(-1) !== 2) {
      const now = await ctx.watchers();
      if (now !== seen.at(-1)) {
        seen.push(now);
        ctx.log('watched by ' + now);
      }
      await wait(50, undefined, { signal: ctx.signal });
    }
    return seen;
  },
});
`;

describe('ctx.watchers()', () => {
  let headway: Headway;
  beforeAll(async () => {
    const JOBS_DIR = testJobs({
      'watched.mjs': job('watched', false),
      'threaded.mjs': job('threaded', true),
    });
    headway = await startHeadway({ env: { JOBS_DIR } });
  });
  afterAll(() => headway.stop());

  it.each(['watched', 'threaded'])('returns the number of viewers of a job, also 0 (%s)', async (name) => {
    const started = await headway.client.start(name, {});
    // Without viewers it logs 0, which later viewers see.
    const key = `headway:{job:${started.id}}:log`;
    await until('nobody watches', async () =>
      JSON.stringify(await headway.connection.xrange(key, '-', '+')).includes('watched by 0'),
    );
    const watch = () => openStream(headway.client.events(started), { token: started.token });
    const first = await watch();
    await first.waitFor(({ data }) => data.message === 'watched by 1');
    const second = await watch();
    await Promise.all([first.ended, second.ended]);
    expect(first.events.at(-1)).toMatchObject({ event: 'completed', data: { result: [0, 1, 2] } });
  });
});
