import { Queue } from 'bullmq';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StartedJob } from '../support/client.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { startWorker } from '../support/processes.js';
import { openStream, type TestStream } from '../support/sse.js';
import { until } from '../support/until.js';

const JOBS = 400;
const WORKERS = 3;
const ROUNDS = 3;

/** From a few ms to more than the grace time of a stopping worker. */
const lengths = [
  { count: 5, intervalMs: 1 },
  { count: 10, intervalMs: 10 },
  { count: 20, intervalMs: 20 },
  { count: 30, intervalMs: 40 },
];

describe('a rolling restart of the workers under load', () => {
  let headway: Headway;
  beforeAll(async () => {
    headway = await startHeadway({
      workers: WORKERS,
      env: { SHUTDOWN_GRACE_MS: '150', WORKER_CONCURRENCY: '10', PROGRESS_INTERVAL_MS: '20' },
    });
  });
  afterAll(() => headway.stop());

  it('completes every job without a failure or a stall, and every viewer sees it complete', async () => {
    const { client, workers, env } = headway;
    const jobs: StartedJob[] = [];
    const streams: TestStream[] = [];
    let restarts = 0;
    // Jobs are started all the time: a stopping worker must not take new ones.
    const feeding = (async () => {
      for (let i = 0; i < JOBS; i++) {
        const options = { attempts: 1, ...(i % 5 === 0 ? { priority: 1 + (i % 3) } : {}) };
        const job = await client.start('steps', lengths[i % lengths.length], options);
        jobs.push(job);
        streams.push(await openStream(client.events(job), { token: job.token }));
      }
    })();
    await Promise.race([feeding, workersAreBusy()]);
    for (let round = 0; round < ROUNDS; round++) {
      for (let i = 0; i < WORKERS; i++) {
        await workers[i]!.stop();
        expect(workers[i]!.child.exitCode).toBe(0);
        workers[i] = await startWorker(env);
        restarts++;
      }
    }
    await feeding;
    await Promise.all(streams.map(({ ended }) => ended));
    expect(restarts).toBe(ROUNDS * WORKERS);

    let handedBack = 0;
    for (const { events, names } of streams) {
      const ends = names().filter((name) => ['completed', 'failed', 'cancelled'].includes(name));
      expect(ends).toEqual(['completed']);
      expect(names().at(-1)).toBe('completed');
      expect(names()).not.toContain('stalled');
      expect(names()).not.toContain('retrying');
      let attempt = 0;
      let percent = 0;
      for (const { event, data } of events) {
        expect(data.attempt).toBeGreaterThanOrEqual(attempt);
        if (data.attempt > attempt) percent = 0;
        attempt = data.attempt;
        if (event !== 'progress') continue;
        expect(data.percent).toBeGreaterThanOrEqual(percent);
        percent = data.percent;
      }
      expect(percent).toBe(100);
      if (attempt > 1) handedBack++;
    }
    expect(handedBack).toBeGreaterThan(0);
    const queue = new Queue('steps', { connection: headway.connection, prefix: '{headway}' });
    expect(await queue.getJobCounts()).toMatchObject({ completed: JOBS, failed: 0, active: 0, waiting: 0 });
    for (const job of await queue.getCompleted(0, JOBS)) {
      expect(job).toMatchObject({ attemptsMade: 1, stalledCounter: 0 });
    }
    await queue.close();
    for (const { output } of workers) expect(output()).not.toMatch(/"level":(50|60)/);
  });

  /** Resolves when the workers run several jobs each, also if starting jobs takes longer than running them. */
  async function workersAreBusy(): Promise<void> {
    const { connection } = headway;
    await until(
      'the workers are busy',
      async () => (await connection.llen('{headway}:steps:active')) >= WORKERS * 3,
    );
  }
});
