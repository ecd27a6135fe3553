import { expect, it } from 'vitest';
import { startHeadway } from '../support/headway.js';
import { jobsDir } from '../support/jobs.js';
import { startWorker } from '../support/processes.js';
import { openStream } from '../support/sse.js';

it('a job in a thread whose worker dies is shown as stalled, and another worker completes it', async () => {
  const headway = await startHeadway({
    env: { LOCK_DURATION_MS: '1000', STALLED_INTERVAL_MS: '500', JOBS_DIR: jobsDir('burn') },
  });
  const job = await headway.client.start('burn', { ms: 1500, reports: true });
  const stream = await openStream(headway.client.events(job), { token: job.token });
  await stream.waitFor('progress');
  await headway.workers[0]!.kill('SIGKILL');
  headway.workers.push(await startWorker(headway.env));
  await stream.ended;
  expect(stream.names().filter((name) => name !== 'progress')).toEqual([
    'waiting',
    'active',
    'stalled',
    'active',
    'completed',
  ]);
  await headway.stop();
});

it('a stopping worker ends a thread that never yields, and hands its job back', async () => {
  const headway = await startHeadway({
    env: { SHUTDOWN_GRACE_MS: '0', JOBS_DIR: jobsDir('burn') },
  });
  const job = await headway.client.start('burn', { ms: 5000 });
  const stream = await openStream(headway.client.events(job), { token: job.token });
  await stream.waitFor('active');
  const [worker] = headway.workers;
  await worker!.stop();
  expect(worker!.child.exitCode).toBe(0);
  headway.workers.push(await startWorker(headway.env));
  await stream.ended;
  expect(stream.names()).toEqual(['waiting', 'active', 'waiting', 'active', 'completed']);
  await headway.stop();
});
