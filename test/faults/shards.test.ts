import { Queue } from 'bullmq';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addressOf } from '../../src/shared/jobs/queues.js';
import { shardOf } from '../../src/shared/shards.js';
import { clientOf, type StartedJob } from '../support/client.js';
import { ADMIN_TOKEN } from '../support/dashboard.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { jobsDir } from '../support/jobs.js';
import { startApi, startWorker, type TestProcess } from '../support/processes.js';
import { type ScheduleView, schedulesOf, userToken } from '../support/schedules.js';
import { openStream } from '../support/sse.js';
import { until } from '../support/until.js';

const STEPS = { count: 1, intervalMs: 0 };
const LATER = { delayMs: 600_000 };
const shardOfJob = ({ id }: { id: string }): number => shardOf(addressOf(id)!.queue);

describe('changing QUEUE_SHARDS', () => {
  let headway: Headway;
  const others: TestProcess[] = [];
  beforeAll(async () => {
    headway = await startHeadway({
      env: {
        ADMIN_TOKEN,
        KEEP_JOBS_MS: '1000',
        QUEUE_SHARDS: '1',
        JOBS_DIR: jobsDir('plain', 'steered'),
        LOG_LEVEL: 'info',
      },
    });
  });
  afterAll(async () => {
    await Promise.all(others.map((process) => process.kill()));
    await headway.stop();
  });

  async function open(start: typeof startApi, shards: number): Promise<TestProcess> {
    const process = await start({ ...headway.env, QUEUE_SHARDS: String(shards) });
    others.push(process);
    return process;
  }
  async function startIn(
    shard: number,
    url: string,
    name: string,
    data: object,
    options?: Record<string, unknown>,
  ) {
    for (;;) {
      const job = await clientOf(url).start(name, data, options);
      if (shardOfJob(job) === shard) return job;
      // It would keep a permit of the worker.
      await clientOf(url).cancel(job);
    }
  }
  const stateOf = async (url: string, job: StartedJob): Promise<string> =>
    ((await (await clientOf(url).get(job)).json()) as { state: string }).state;

  it('raises it while jobs run, with processes of both values side by side: new shards are used, found and paused', async () => {
    const { connection, api, workers } = headway;
    const admin = { method: 'POST', headers: { Authorization: `Bearer ${ADMIN_TOKEN}` } };
    await fetch(`${api.url}/v1/definitions/plain/pause`, admin);
    const running = await headway.client.start('steered', { turns: 'old' });
    const stream = await openStream(headway.client.events(running), { token: running.token });
    await stream.waitFor('active');
    const keyed = { ...LATER, deduplicationKey: 'a-deduplication-key' };
    const keys = Array.from({ length: 6 }, (_, i) => ({
      ...keyed,
      deduplicationKey: `deduplication-key-${i}`,
    }));
    const first = await Promise.all(keys.map((options) => headway.client.start('steps', STEPS, options)));
    const schedules = schedulesOf(headway, await userToken(headway, 'ada'));
    const schedule = await schedules.make({ name: 'steps', data: STEPS, everyMs: 1000 });

    const newApi = await open(startApi, 2);
    const newWorker = await open(startWorker, 2);
    // The old API finds, shows, streams and cancels what is in the new shard.
    const job = await startIn(1, newApi.url, 'steered', { turns: 'new' });
    expect(shardOfJob(job)).toBe(1);
    const old = clientOf(api.url);
    const seen = await openStream(old.events(job), { token: job.token });
    await seen.waitFor('active');
    expect(await stateOf(api.url, job)).toBe('active');
    expect((await old.cancel(job)).status).toBe(202);
    await seen.ended;
    expect(seen.names().at(-1)).toBe('cancelled');
    const waiting = await startIn(1, newApi.url, 'steps', STEPS, LATER);
    await until('the old API lists it', async () => {
      const response = await fetch(`${api.url}/v1/jobs?limit=200`, {
        headers: { Authorization: `Bearer ${ADMIN_TOKEN}` },
      });
      const { jobs } = (await response.json()) as { jobs: Array<{ id: string }> };
      return jobs.some(({ id }) => id === waiting.id);
    });
    expect(await (await old.cancel(waiting)).json()).toMatchObject({ state: 'cancelled' });
    // What is paused is paused in the new shard, too.
    const paused = await startIn(1, newApi.url, 'plain', {});
    const onPaused = clientOf(newApi.url);
    expect(await (await onPaused.get(paused)).json()).toMatchObject({ state: 'waiting', paused: true });
    const resumed = await openStream(onPaused.events(paused), { token: paused.token });
    await fetch(`${newApi.url}/v1/definitions/plain/resume`, admin);
    await resumed.waitFor('completed');
    // It does not put jobs there.
    for (let i = 0; i < 10; i++) expect(shardOfJob(await old.start('steps', STEPS, LATER))).toBe(0);
    // A deduplication key finds a job that was started before, whichever shard it gives now.
    const again = await Promise.all(
      keys.map((options) => clientOf(newApi.url).start('steps', STEPS, options)),
    );
    expect(again.map(({ id }) => id)).toEqual(first.map(({ id }) => id));
    await until('the difference is reported', () =>
      [...headway.workers, ...others].some((it) =>
        it.output().includes('processes differ in QUEUE_SHARDS: 1 and 2'),
      ),
    );

    await Promise.all([api.stop(), workers[0]!.stop()]);
    const rest = await openStream(clientOf(newApi.url).events(running), { token: running.token });
    await connection.lpush('old', 'end');
    await rest.ended;
    expect(rest.names().at(-1)).toBe('completed');
    const onNew = schedulesOf(headway, await userToken(headway, 'ada'), newApi.url);
    const { runs } = await onNew.get(schedule);
    await onNew.until('the schedule goes on', schedule, (now) => now.runs > runs + 1);
    expect(newWorker.child.exitCode).toBeNull();
    await onNew.remove(schedule);
  });

  it('lowers it: the jobs in the former shards are run, and then the shards are no longer used', async () => {
    // Those that the first test has left, with two shards.
    const [api, formerWorker] = others.splice(0);
    const { connection } = headway;
    const schedules = schedulesOf(headway, await userToken(headway, 'ada'), api!.url);
    let schedule: ScheduleView;
    do {
      schedule = await schedules.make({ name: 'steps', data: STEPS, everyMs: 1000 });
      schedule = await schedules.until('there is a next run', schedule, ({ nextRun }) => nextRun);
    } while (shardOfJob(schedule.nextRun!) === 0);
    const late = await startIn(1, api!.url, 'steps', STEPS, { delayMs: 600_000 });
    const running = await startIn(1, api!.url, 'steered', { turns: 'turns' });
    const stream = await openStream(clientOf(api!.url).events(running), { token: running.token });
    await stream.waitFor('active');
    await Promise.all([api!.stop(), formerWorker!.stop()]);

    const newApi = await open(startApi, 1);
    const worker = await open(startWorker, 1);
    expect(worker.output()).toContain('there may be jobs in more shards than QUEUE_SHARDS');
    for (let i = 0; i < 10; i++) {
      expect(shardOfJob(await clientOf(newApi.url).start('steps', STEPS))).toBe(0);
    }
    expect(await stateOf(newApi.url, late)).toBe('delayed');
    const end = await openStream(clientOf(newApi.url).events(late), { token: late.token });
    const rest = await openStream(clientOf(newApi.url).events(running), { token: running.token });
    const queue = new Queue('steps', { connection, prefix: '{headway~1.10}' });
    await (await queue.getJob(late.id))!.promote();
    await queue.close();
    await connection.lpush('turns', 'end');
    await rest.ended;
    expect(rest.names().at(-1)).toBe('completed');
    await end.ended;
    expect(end.names().at(-1)).toBe('completed');
    const onNew = schedulesOf(headway, await userToken(headway, 'ada'), newApi.url);
    await onNew.until(
      'the schedule has moved',
      schedule,
      ({ nextRun }) => nextRun && shardOfJob(nextRun) === 0,
    );
    await until(
      'the shard is no longer used',
      async () => (await connection.exists('headway:{shards}')) === 0,
      60_000,
    );
    await until('that is reported', () =>
      others.some((it) => it.output().includes('no jobs are left in the further shards')),
    );
    expect(await connection.keys('{headway~1.10}:*:steps*')).toEqual([]);
  }, 240_000);
});
