import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Headway, startHeadway } from '../support/headway.js';
import { jobsDir } from '../support/jobs.js';
import { watchToEnd } from '../support/sse.js';
import { until } from '../support/until.js';

const MIN_STRIKES = 7;
const MAX_STRIKES = 20;

describe('P1: a fault while attempts begin and end', () => {
  let headway: Headway;
  beforeAll(async () => {
    headway = await startHeadway({
      env: {
        WORKER_CONCURRENCY: '10',
        MAX_STALLS: '1000',
        // A job whose worker did not get the answer to its call runs again when its lock has expired.
        LOCK_DURATION_MS: '5000',
        STALLED_INTERVAL_MS: '1000',
        JOBS_DIR: jobsDir('parent-of-two', 'kid'),
        // After each cut, a worker connects again for each kind of job.
        WORKER_JOBS: 'steps,parent-of-two,kid',
      },
    });
  });
  afterAll(() => headway.stop());

  it.each(['connections are cut', 'Redis refuses writes'])('%s: fails no job', async (what) => {
    const options = { attempts: 1 };
    const { client, connection } = headway;
    // `parent-of-two` also starts children.
    const bodies = [
      ...Array.from({ length: 60 }, (_, i) => ({ name: 'steps', data: { count: 3, intervalMs: 10 + i } })),
      ...Array.from({ length: 20 }, () => ({ name: 'parent-of-two', data: {} })),
    ];
    let on = true;
    let strikes = 0;
    // On a busy machine the processes may need longer than a pause to recover, so the fault strikes a limited number of times.
    const fault = (async () => {
      while (on && strikes < MAX_STRIKES) {
        if (what === 'connections are cut')
          await connection.call('CLIENT', 'KILL', 'TYPE', 'normal').catch(() => {});
        else {
          await connection.config('SET', 'maxmemory', '1mb');
          await sleep(150);
          await connection.config('SET', 'maxmemory', '0');
        }
        strikes++;
        await sleep(300);
      }
    })();
    const jobs = await Promise.all(
      bodies.map(async (body, i) => {
        const headers = { 'Idempotency-Key': `${what} ${body.name} ${i}`.replaceAll(' ', '-') };
        for (;;) {
          const response = await client.post({ ...body, options }, headers);
          if (response.status === 202) return (await response.json()) as { id: string; token: string };
          // As long as a client waits.
          await sleep(250);
        }
      }),
    );
    await until('the fault has struck often enough', () => strikes >= MIN_STRIKES);
    on = false;
    await fault;
    for (const job of jobs) {
      const stream = await watchToEnd(`${headway.api.url}/v1/jobs/${job.id}/events`, job.token);
      const failed = stream.events.find(({ event }) => event === 'failed');
      expect(failed?.data).toBeUndefined();
      expect(stream.names().at(-1)).toBe('completed');
    }
  });
});
