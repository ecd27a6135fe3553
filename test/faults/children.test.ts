import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { StartedJob } from '../support/client.js';
import { familyJobs } from '../support/family.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { jobsDir } from '../support/jobs.js';
import { startWorker, type TestProcess } from '../support/processes.js';
import { openStream, type TestStream } from '../support/sse.js';
import { until } from '../support/until.js';

const QUICK = { LOCK_DURATION_MS: '1000', STALLED_INTERVAL_MS: '500', PROGRESS_INTERVAL_MS: '20' };

describe('a job with children', () => {
  let headway: Headway;
  /** The worker for parents, and its settings. It also serves the next test if that wants the same settings. */
  let parents: TestProcess | undefined;
  let settings = '';
  beforeAll(async () => {
    headway = await startHeadway({
      workers: 0,
      appendOnly: true,
      env: { ...QUICK, JOBS_DIR: jobsDir(...familyJobs()) },
    });
  });
  afterEach(() => headway.connection.del('begun', 'gate'));
  afterAll(async () => {
    await parents?.kill();
    await headway.stop();
  });

  /** Starts a worker for parents, unless it runs. */
  async function startParents(env: Record<string, string> = {}): Promise<TestProcess> {
    const wanted = JSON.stringify(env);
    if (wanted !== settings) await parents?.kill();
    settings = wanted;
    const runs = parents && parents.child.exitCode === null && parents.child.signalCode === null;
    if (!runs) {
      parents = await startWorker({ ...headway.env, WORKER_JOBS: 'tree', SHUTDOWN_GRACE_MS: '0', ...env });
    }
    return parents!;
  }
  const watch = (job: StartedJob): Promise<TestStream> =>
    openStream(headway.client.events(job), { token: job.token });
  // biome-ignore lint/suspicious/noExplicitAny: each test knows the fields it reads
  const view = async (job: StartedJob) => (await headway.client.get(job)).json() as Promise<any>;
  const open = (gates: number) =>
    headway.connection.lpush('gate', ...Array.from({ length: gates }, () => '1'));
  const completed = (job: StartedJob, count: number) =>
    until(`${count} children have completed`, async () => (await view(job)).children?.completed >= count);
  const begunOnce = async (count: number): Promise<void> => {
    const begun = await headway.connection.hgetall('begun');
    expect(Object.keys(begun)).toHaveLength(count);
    expect(new Set(Object.values(begun))).toEqual(new Set(['1']));
  };

  it('gets the result of a child that a plain BullMQ worker completed', async () => {
    await startParents();
    const { Worker } = await import('bullmq');
    const job = await headway.client.start('tree', { count: 3 });
    const stream = await watch(job);
    const plain = new Worker('leaf', async ({ data }) => ({ double: 2 * data.n }), {
      connection: { host: '127.0.0.1', port: headway.redis.port },
      prefix: '{headway}',
    });
    await stream.ended;
    await plain.close();
    expect(stream.events.at(-1)!.data.result).toEqual({ sum: 6, missing: 0 });
  });

  describe('beside a worker for its children', () => {
    beforeAll(async () => {
      // Redis is restarted under it.
      const lasting = { LOCK_DURATION_MS: '30000' };
      headway.workers.push(await startWorker({ ...headway.env, WORKER_JOBS: 'leaf', ...lasting }));
    });

    it('keeps its children when its worker is killed: no child runs twice', async () => {
      const parents = await startParents();
      const job = await headway.client.start('tree', { count: 30, gate: 'gate' });
      const stream = await watch(job);
      await open(10);
      await completed(job, 10);
      await parents.kill('SIGKILL');
      // These children end while no parent runs.
      await open(5);
      await completed(job, 15);
      await startParents();
      await stream.waitFor(({ event, data }) => event === 'active' && data.attempt === 2);
      await open(15);
      await stream.ended;
      expect(stream.names().filter((name) => name !== 'progress')).toEqual([
        'waiting',
        'active',
        'stalled',
        'active',
        'completed',
      ]);
      expect(stream.events.at(-1)!.data.result).toEqual({ sum: 870, missing: 0 });
      await begunOnce(30);
    });

    it('leaves its children to the next attempt when its worker is stopped', async () => {
      const parents = await startParents();
      const job = await headway.client.start('tree', { count: 12, gate: 'gate' });
      const stream = await watch(job);
      await open(4);
      await completed(job, 4);
      await parents.stop();
      expect(await view(job)).toMatchObject({ state: 'waiting', children: { pending: 8, failed: 0 } });
      await startParents();
      await open(8);
      await stream.ended;
      expect(stream.events.at(-1)!.data.result).toEqual({ sum: 132, missing: 0 });
      await begunOnce(12);
    });

    it('gets the results of children that ran while Redis was restarted', async () => {
      await startParents({ LOCK_DURATION_MS: '30000' });
      const job = await headway.client.start('tree', { count: 20, gate: 'gate' });
      const stream = await watch(job);
      await open(6);
      await completed(job, 6);
      await headway.redis.kill('SIGTERM');
      await headway.redis.restart();
      await open(14);
      await stream.ended;
      expect(stream.events.at(-1)).toMatchObject({ event: 'completed', data: { result: { sum: 380 } } });
      const bar = stream.events.filter(({ event }) => event === 'progress').map(({ data }) => data.percent);
      expect(bar).toEqual([...bar].sort((a, b) => a - b));
      expect(bar.at(-1)).toBe(100);
      await begunOnce(20);
    });

    it('cancels its children when it fails because its worker died', async () => {
      const parents = await startParents({ MAX_STALLS: '0' });
      const job = await headway.client.start('tree', { count: 20, gate: 'gate' });
      const stream = await watch(job);
      await until('some children run', async () => (await headway.connection.hlen('begun')) >= 8);
      await parents.kill('SIGKILL');
      await startParents({ MAX_STALLS: '0' });
      await stream.ended;
      expect(stream.events.at(-1)!.data.error).toMatchObject({ code: 'stalled' });
      await until('no child is left', async () => (await view(job)).children.pending === 0);
    });

    it('cancels its children when it is cancelled between two attempts', async () => {
      const parents = await startParents({ MAX_STALLS: '0' });
      const job = await headway.client.start('tree', { count: 20, gate: 'gate' });
      const stream = await watch(job);
      await until('some children run', async () => (await headway.connection.hlen('begun')) >= 8);
      await parents.stop();
      expect((await headway.client.cancel(job)).status).toBe(200);
      await stream.ended;
      await until('no child is left', async () => (await view(job)).children.pending === 0);
      expect((await view(job)).children).toMatchObject({ failed: 20, completed: 0 });
    });
  });
});
