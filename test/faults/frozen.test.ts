import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { type Headway, startHeadway } from '../support/headway.js';
import { jobsDir } from '../support/jobs.js';
import { startWorker } from '../support/processes.js';
import { openStream } from '../support/sse.js';
import { until } from '../support/until.js';

let headway: Headway;
beforeAll(async () => {
  headway = await startHeadway({ workers: 0, env: { JOBS_DIR: jobsDir('gated') } });
});
afterEach(async () => {
  await Promise.all(headway.workers.splice(0).map((worker) => worker.kill()));
  await headway.connection.del('checking', 'gate', 'bodies');
});
afterAll(() => headway.stop());

it.each([
  ['that another worker has completed', {}],
  ['that another worker has completed, with the job in a thread', { thread: true }],
  ['that has failed as stalled', { failed: true }],
])(
  'a worker that was frozen does not run a job %s',
  async (_what, { thread = false, failed = false }: { thread?: boolean; failed?: boolean }) => {
    const env = {
      ...headway.env,
      LOCK_DURATION_MS: '1000',
      STALLED_INTERVAL_MS: '500',
      MAX_STALLS: failed ? '0' : '3',
      JOBS_DIR: jobsDir({ file: 'gated', thread }),
      WORKER_JOBS: 'gated',
    };
    const { client, connection, workers } = headway;
    const frozen = await startWorker({ ...env, GATED: '1' });
    workers.push(frozen);
    const job = await client.start('gated', {});
    const stream = await openStream(client.events(job), { token: job.token });
    await until('the frozen worker validates the data', () => connection.exists('checking'));
    frozen.child.kill('SIGSTOP');
    const other = await startWorker(env);
    workers.push(other);
    await stream.ended;
    expect(stream.names().at(-1)).toBe(failed ? 'failed' : 'completed');
    await connection.set('gate', 'open');
    frozen.child.kill('SIGCONT');
    // Once the frozen worker has completed another job, it has finished with the first job.
    await other.kill();
    const next = await client.start('gated', {});
    const after = await openStream(client.events(next), { token: next.token });
    await after.ended;
    expect(after.names().at(-1)).toBe('completed');
    const bodies = failed ? [frozen] : [other, frozen];
    expect(await connection.lrange('bodies', 0, -1)).toEqual(bodies.map(({ child }) => String(child.pid)));
  },
);
