import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { type Headway, startHeadway } from '../support/headway.js';
import { inThread, jobsDir } from '../support/jobs.js';
import { startWorker } from '../support/processes.js';
import { openStream, type TestStream } from '../support/sse.js';
import { until } from '../support/until.js';

let headway: Headway;
beforeAll(async () => {
  headway = await startHeadway({ workers: 0, env: { JOBS_DIR: jobsDir('gated', inThread('gated')) } });
});
afterEach(async () => {
  await Promise.all(headway.workers.splice(0).map((worker) => worker.kill()));
  await headway.connection.del('checking', 'gate', 'bodies');
});
afterAll(() => headway.stop());

it.each([
  ['that another worker has completed, also with the job in a thread', ['gated', 'gated-thread'], false],
  ['that has failed as stalled', ['gated'], true],
])('a worker that was frozen does not run a job %s', async (_what, kinds, failed) => {
  const env = {
    ...headway.env,
    LOCK_DURATION_MS: '1000',
    STALLED_INTERVAL_MS: '500',
    MAX_STALLS: failed ? '0' : '3',
    WORKER_JOBS: kinds.join(),
  };
  const { client, connection, workers } = headway;
  /** Starts a job of each kind, and watches it. */
  const start = (): Promise<TestStream[]> =>
    Promise.all(
      kinds.map(async (kind) => {
        const job = await client.start(kind, {});
        return openStream(client.events(job), { token: job.token });
      }),
    );
  const frozen = await startWorker({ ...env, GATED: '1' });
  workers.push(frozen);
  const streams = await start();
  await until(
    'the frozen worker validates the data',
    async () => (await connection.llen('checking')) >= kinds.length,
  );
  frozen.child.kill('SIGSTOP');
  const other = await startWorker(env);
  workers.push(other);
  for (const stream of streams) {
    await stream.ended;
    expect(stream.names().at(-1)).toBe(failed ? 'failed' : 'completed');
  }
  await connection.set('gate', 'open');
  frozen.child.kill('SIGCONT');
  // Once the frozen worker has completed other jobs, it has finished with the first ones.
  await other.kill();
  for (const stream of await start()) {
    await stream.ended;
    expect(stream.names().at(-1)).toBe('completed');
  }
  const bodies = failed ? [frozen] : [other, frozen];
  expect(await connection.lrange('bodies', 0, -1)).toEqual(
    bodies.flatMap(({ child }) => kinds.map(() => String(child.pid))),
  );
});
