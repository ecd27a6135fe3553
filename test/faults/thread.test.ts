import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Headway, startHeadway } from '../support/headway.js';
import { jobsDir } from '../support/jobs.js';
import { startWorker } from '../support/processes.js';
import { openStream } from '../support/sse.js';

describe('a job in a thread', () => {
  let headway: Headway;
  /** The settings of a worker that ends at once when it is stopped, and that notices lost jobs soon. */
  let settings: Record<string, string>;
  beforeAll(async () => {
    headway = await startHeadway({ workers: 0, env: { JOBS_DIR: jobsDir('burn'), WORKER_JOBS: 'burn' } });
    settings = { ...headway.env, STALLED_INTERVAL_MS: '500', SHUTDOWN_GRACE_MS: '0' };
  });
  afterAll(() => headway.stop());

  it('is shown as stalled when its worker dies, and another worker completes it', async () => {
    headway.workers = [await startWorker({ ...settings, LOCK_DURATION_MS: '1000' })];
    const job = await headway.client.start('burn', { ms: 1000, reports: true });
    const stream = await openStream(headway.client.events(job), { token: job.token });
    await stream.waitFor('progress');
    await headway.workers[0]!.kill('SIGKILL');
    headway.workers = [await startWorker(settings)];
    await stream.ended;
    expect(stream.names().filter((name) => name !== 'progress')).toEqual([
      'waiting',
      'active',
      'stalled',
      'active',
      'completed',
    ]);
  });

  it('that never yields is ended by a stopping worker, and handed back', async () => {
    headway.workers[0] ??= await startWorker(settings);
    const job = await headway.client.start('burn', { ms: 2500, sleeps: true });
    const stream = await openStream(headway.client.events(job), { token: job.token });
    await stream.waitFor('active');
    const [worker] = headway.workers;
    await worker!.stop();
    expect(worker!.child.exitCode).toBe(0);
    headway.workers = [await startWorker(settings)];
    await stream.ended;
    expect(stream.names()).toEqual(['waiting', 'active', 'waiting', 'active', 'completed']);
  });
});
