import { FlowProducer, Queue } from 'bullmq';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { StartedJob } from '../support/client.js';
import { familyJobs } from '../support/family.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { jobsDir } from '../support/jobs.js';
import { startWorker } from '../support/processes.js';
import { openStream, type TestStream } from '../support/sse.js';
import { until } from '../support/until.js';

let headway: Headway;
let trees: Queue;
let leaves: Queue;
beforeAll(async () => {
  const jobs = familyJobs();
  const names = jobs.map(({ file }) => file.replace('family/', ''));
  headway = await startHeadway({
    workers: 0,
    env: { JOBS_DIR: jobsDir(...jobs), WORKER_JOBS: names.join(), WORKER_THREADS: '2' },
  });
  const options = { connection: headway.connection, prefix: '{headway}' };
  trees = new Queue('tree', options);
  leaves = new Queue('leaf', options);
});
afterAll(async () => {
  await Promise.all([trees.close(), leaves.close()]);
  await headway.stop();
});

describe.each([false, true])('ctx.child of a job with thread: %s', (thread) => {
  beforeAll(async () => {
    const env = { ...headway.env, JOBS_DIR: jobsDir(...familyJobs({ thread })) };
    // A child also runs in another process than its parent, which a thread makes no difference to.
    const count = thread ? 1 : 2;
    headway.workers = await Promise.all(Array.from({ length: count }, () => startWorker(env)));
  });
  beforeEach(() => headway.connection.del('begun', 'gate'));
  afterAll(async () => void (await Promise.all(headway.workers.splice(0).map((worker) => worker.kill()))));

  const watch = (job: StartedJob): Promise<TestStream> =>
    openStream(headway.client.events(job), { token: job.token });
  // biome-ignore lint/suspicious/noExplicitAny: each test knows the type of its results
  const view = async (job: StartedJob) => (await headway.client.get(job)).json() as Promise<any>;
  async function plant(data: object, options?: Record<string, unknown>) {
    const job = await headway.client.start('tree', data, options);
    return { job, stream: await watch(job) };
  }

  it('starts a hundred children with correct results and progress, without flooding the stream', async () => {
    const count = 100;
    const { job, stream } = await plant({ count });
    const began = Date.now();
    await stream.ended;
    const took = Date.now() - began;
    expect(stream.events.at(-1)).toMatchObject({
      event: 'completed',
      data: { result: { sum: count * (count - 1), missing: 0 } },
    });
    expect(new Set(stream.names())).toEqual(new Set(['waiting', 'active', 'progress', 'completed']));
    const bar = stream.events.filter(({ event }) => event === 'progress').map(({ data }) => data);
    expect(bar.at(-1)).toMatchObject({ percent: 100, current: count, total: count, unit: 'jobs' });
    expect(bar.map(({ percent }) => percent)).toEqual(
      bar.map(({ percent }) => percent).sort((a, b) => a - b),
    );
    // At most one update in 100 ms, plus the last update.
    expect(bar.length).toBeLessThanOrEqual(took / 100 + 2);
    expect(bar.length).toBeGreaterThan(2);
    expect(await headway.connection.hlen('begun')).toBe(count);
    expect(new Set(await headway.connection.hvals('begun'))).toEqual(new Set(['1']));
    expect(await view(job)).toMatchObject({
      state: 'completed',
      children: { total: count, pending: 0, completed: count, failed: 0 },
    });
  });

  it('moves the progress of its stage, unless the job reports numbers itself', async () => {
    const job = await headway.client.start('staged', {});
    const stream = await watch(job);
    const at = (percent: number) =>
      stream.waitFor(({ event, data }) => event === 'progress' && data.percent === percent);
    // The first stage is a third; in the second, each child has completed half of its share.
    expect((await at(66.67)).data).toMatchObject({
      stage: 'children',
      stageIndex: 2,
      stageCount: 2,
      current: 0,
      total: 2,
      message: 'Waiting for two',
    });
    await headway.connection.lpush('gate1', '1');
    expect((await at(91.67)).data).toMatchObject({ current: 1, total: 2, unit: 'jobs' });
    await headway.connection.lpush('gate0', '1');
    await stream.ended;
    expect(stream.events.findLast(({ event }) => event === 'progress')!.data).toMatchObject({
      stage: 'rest',
      stageCount: 3,
      current: 1,
      total: 10,
      unit: 'things',
    });
    // Two calls with the same key share one child.
    expect(stream.events.at(-1)!.data.result).toEqual({ same: true });
    expect(await headway.connection.hgetall('begun')).toEqual({ 0: '1', 1: '1', 2: '1' });
  });

  it('creates a job with its own URL, stream and parent; the token of the parent grants access', async () => {
    const { job, stream } = await plant({ count: 2, gate: 'gate' });
    await stream.waitFor(({ event, data }) => event === 'progress' && data.percent === 50);
    expect(await view(job)).toMatchObject({ state: 'active', children: { total: 2, pending: 2 } });
    const [child] = await leaves.getActive();
    const response = await fetch(`${headway.api.url}/v1/jobs/${child!.id}`, {
      headers: { Authorization: `Bearer ${job.token}` },
    });
    expect(await response.json()).toMatchObject({
      id: child!.id,
      name: 'leaf',
      parent: job.id,
      links: { parent: job.links.self },
    });
    const stranger = await headway.client.start('steps', { count: 0, intervalMs: 0 });
    const refused = await fetch(`${headway.api.url}/v1/jobs/${child!.id}`, {
      headers: { Authorization: `Bearer ${stranger.token}` },
    });
    expect(refused.status).toBe(404);
    // The token of a child does not grant access to its parent.
    const childStream = await openStream(`${headway.api.url}/v1/jobs/${child!.id}/events`, {
      token: job.token,
    });
    await headway.connection.lpush('gate', '1', '1');
    await Promise.all([stream.ended, childStream.ended]);
    expect(childStream.names().at(-1)).toBe('completed');
  });

  it('appears as a flow in BullMQ', async () => {
    const { job, stream } = await plant({ count: 3, gate: 'gate', fails: 1, choice: 'settled' });
    const parent = (await trees.getJob(job.id))!;
    await until('the children exist', async () => (await parent.getDependenciesCount()).unprocessed === 3);
    await headway.connection.lpush('gate', '1', '1', '1');
    await stream.ended;
    const { processed, unprocessed, ignored } = await parent.getDependencies();
    expect(Object.values(processed!)).toEqual(expect.arrayContaining([{ double: 0 }, { double: 4 }]));
    expect([Object.keys(ignored!).length, unprocessed!.length]).toEqual([1, 0]);
    expect(Object.values(await parent.getChildrenValues())).toHaveLength(2);
    expect((await leaves.getCompleted())[0]!.parent).toMatchObject({
      id: job.id,
      queueKey: '{headway}:tree',
    });
  });

  it('rejects when the child fails, which is published once; the parent may catch it', async () => {
    const { stream } = await plant({ count: 3, fails: 1, choice: 'settled' });
    await stream.ended;
    const published = stream.events.filter(({ event }) => event === 'child');
    expect(published).toHaveLength(1);
    const child = published[0]!.data;
    expect(child).toMatchObject({
      childName: 'leaf',
      state: 'failed',
      error: { message: 'bad apple' },
      attempt: 1,
    });
    expect(stream.events.at(-1)).toMatchObject({
      event: 'completed',
      data: {
        result: [
          0,
          {
            childFailed: true,
            jobId: child.childId,
            jobName: 'leaf',
            error: { message: 'bad apple' },
            message: `child job leaf (${child.childId}) failed: bad apple`,
          },
          4,
        ],
      },
    });
    // A failed child counts as ended in the progress.
    expect(stream.events.findLast(({ event }) => event === 'progress')!.data).toMatchObject({
      percent: 100,
      current: 3,
    });
  });

  it('fails a parent that does not catch the error of a child, and cancels its other children', async () => {
    const { job, stream } = await plant({ count: 3, gate: 'gate', fails: 1 });
    await until('all have begun', async () => (await headway.connection.hlen('begun')) === 3);
    // Either child may run first; in the end, the failing child fails.
    await headway.connection.lpush('gate', ...Array.from({ length: 3 }, () => '1'));
    await stream.ended;
    expect(stream.events.at(-1)).toMatchObject({
      event: 'failed',
      data: { error: { message: expect.stringMatching(/^child job leaf \(leaf\.\w+\) failed: bad apple$/) } },
    });
    await until('no child is left', async () => (await view(job)).children.pending === 0);
  });

  it('resolves with undefined for a failed child with onFailure: ignore', async () => {
    const { stream } = await plant({ count: 3, fails: 1, choice: 'ignore' });
    await stream.ended;
    expect(stream.events.at(-1)!.data.result).toEqual({ sum: 4, missing: 1 });
    expect(stream.names().filter((name) => name === 'child')).toHaveLength(1);
  });

  it('stops a parent that waits for something else with onFailure: fail; a retry starts the child again', async () => {
    const { job, stream } = await plant({ count: 3, fails: 1, choice: 'fail' }, { attempts: 2 });
    await stream.waitFor('retrying');
    expect(stream.events.find(({ event }) => event === 'retrying')!.data.error.message).toMatch(/bad apple/);
    await until(
      'the failed child has started again',
      async () => (await headway.connection.hget('begun', '1')) === '2',
    );
    await until('all have completed', async () => (await view(job)).children?.completed === 3);
    expect(await headway.connection.hgetall('begun')).toEqual({ 0: '1', 1: '2', 2: '1' });
    await headway.client.cancel(job);
    await stream.ended;
  });

  it('does not retry a parent whose child failed permanently', async () => {
    const { stream } = await plant({ count: 2, fails: 9, permanent: true }, { attempts: 3 });
    await stream.ended;
    expect(stream.names()).not.toContain('retrying');
    expect(stream.events.at(-1)!.data.error).toMatchObject({ code: 'permanent' });
  });

  it('cancels running and waiting children with their parent', async () => {
    const { job, stream } = await plant({ count: 24, gate: 'gate' });
    await until('some run', async () => (await headway.connection.hlen('begun')) >= 8);
    await headway.client.cancel(job);
    await stream.ended;
    expect(stream.names().at(-1)).toBe('cancelled');
    await until('all have ended', async () => {
      const { children } = await view(job);
      return children.pending === 0 && children.failed === 24;
    });
    expect(await leaves.getJobCountByTypes('active', 'waiting', 'delayed')).toBe(0);
    const begun = await headway.connection.hlen('begun');
    const [one] = await leaves.getFailed();
    const child = await openStream(`${headway.api.url}/v1/jobs/${one!.id}/events`, { token: job.token });
    await child.ended;
    expect(child.names().at(-1)).toBe('cancelled');
    expect(begun).toBeLessThan(24);
  });

  it.each([
    ['returns without waiting', false, 'completed'],
    ['fails', true, 'failed'],
  ])('cancels its children when the parent %s', async (_how, throwAfter, end) => {
    const { job, stream } = await plant({ count: 20, gate: 'gate', choice: 'leave', throwAfter });
    await headway.connection.lpush('gate', '1');
    await stream.ended;
    expect(stream.names().at(-1)).toBe(end);
    await until('all have ended', async () => (await view(job)).children.pending === 0);
    expect(await leaves.getJobCountByTypes('active', 'waiting')).toBe(0);
  });

  it('rejects when the child is cancelled', async () => {
    const { job, stream } = await plant({ count: 2, gate: 'gate', choice: 'settled' });
    const child = await until('one runs', async () => (await leaves.getActive())[0]);
    const response = await fetch(`${headway.api.url}/v1/jobs/${child.id}/cancel`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${job.token}` },
    });
    expect(response.ok).toBe(true);
    expect((await stream.waitFor('child')).data).toMatchObject({ childId: child.id, state: 'cancelled' });
    await headway.connection.lpush('gate', '1');
    await stream.ended;
    const results = stream.events.at(-1)!.data.result as unknown[];
    expect(results).toContainEqual(
      expect.objectContaining({ error: { message: 'was cancelled', code: 'cancelled' } }),
    );
  });

  it('finds completed children again when a failed parent is retried by hand', async () => {
    const { job, stream } = await plant({ count: 5, fails: 1, choice: 'all' });
    await stream.ended;
    expect(stream.names().at(-1)).toBe('failed');
    await until('the others have ended', async () => (await view(job)).children.pending === 0);
    const before = await headway.connection.hgetall('begun');
    const completed = (await view(job)).children.completed;
    expect((await headway.client.retry(job)).status).toBe(202);
    const again = await watch(job);
    await again.ended;
    expect(again.events.at(-1)).toMatchObject({ event: 'completed', data: { result: { sum: 20 } } });
    const after = await headway.connection.hgetall('begun');
    const repeated = Object.keys(after).filter((n) => after[n] !== (before[n] ?? '0'));
    expect(repeated.length).toBe(5 - completed);
    expect(repeated).toContain('1');
  });

  it('does not cancel children of a flow created by another tool', async () => {
    const flows = new FlowProducer({ connection: headway.connection, prefix: '{headway}' });
    const flow = await flows.add({
      name: 'tree',
      queueName: 'tree',
      data: { count: 0 },
      children: [
        { name: 'leaf', queueName: 'leaf', data: { n: 7, gate: 'gate' } },
        {
          name: 'leaf',
          queueName: 'leaf',
          data: { n: 8, fails: 1, permanent: true },
          opts: { failParentOnFailure: true },
        },
      ],
    });
    await until('the parent has failed', () => flow.job.isFailed());
    await headway.connection.lpush('gate', '1');
    const child = flow.children![0]!.job;
    await until('its other child has ended', async () => (await child.isCompleted()) || child.isFailed());
    expect(await child.getState()).toBe('completed');
    await flows.close();
  });

  it.each([
    ['that would wait for its parent', 'twin', /^a child "other-twin" would wait in the queue "twins"/],
    ['that would wait for its grandparent', 'grandparent', /the queue "elders", where its ancestor elders\./],
    [
      'of an unknown job type',
      'stray',
      /^cannot start a child: unknown job type "nobody"\. Known job types: /,
    ],
    ['with invalid data', 'unfit', /^the data of the child leaf: \/n: Invalid input/],
  ])('rejects a child %s', async (_how, name, message) => {
    const job = await headway.client.start(name, {});
    const stream = await watch(job);
    await stream.ended;
    expect(stream.events.at(-1)!.data.error).toMatchObject({
      code: 'permanent',
      message: expect.stringMatching(message),
    });
  });
});
