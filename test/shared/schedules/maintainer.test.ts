import { randomUUID } from 'node:crypto';
import { Queue } from 'bullmq';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createPublisher } from '../../../src/shared/channel/publisher.js';
import { jobIdOf, planQueues } from '../../../src/shared/jobs/queues.js';
import { loadRegistry, type Registry } from '../../../src/shared/jobs/registry.js';
import { createRetentionTimes } from '../../../src/shared/jobs/retention-times.js';
import { runId } from '../../../src/shared/jobs/scheduled-run.js';
import { createKeyspace } from '../../../src/shared/keyspace.js';
import { createExpiry } from '../../../src/shared/lifecycle/expiry.js';
import { createReconciler } from '../../../src/shared/lifecycle/reconcile.js';
import { createSnapshotReader } from '../../../src/shared/lifecycle/snapshot.js';
import { connectRedis } from '../../../src/shared/redis/connect.js';
import { createQueues } from '../../../src/shared/runtime/queues.js';
import { createScheduleMaintainer } from '../../../src/shared/schedules/maintainer.js';
import type { Schedule } from '../../../src/shared/schedules/schedule.js';
import { builtInJobsDir } from '../../../src/worker/built-in-jobs.js';
import { allScripts, startRedis, type TestRedis } from '../../support/redis.js';
import { openTestStore } from '../../support/run-job.js';
import { until } from '../../support/until.js';

const HOUR = 3_600_000;
const CHECK = 31_000;

const schedule = (changes: Partial<Schedule> = {}): Schedule => ({
  id: randomUUID(),
  name: 'steps',
  queue: 'steps',
  owner: 'user:ada',
  data: { count: 1, intervalMs: 1 },
  options: {},
  template: { attempts: 1, headway: { owner: 'user:ada' } },
  ...(changes.everyMs === undefined ? { cron: '0 0 1 1 *' } : {}),
  firstAt: Date.now(),
  paused: false,
  createdAt: Date.now(),
  updatedAt: Date.now(),
  version: 1,
  timedIn: 1,
  ...changes,
});

describe('a schedule that is out of sync with BullMQ', () => {
  let server: TestRedis;
  let registry: Registry;
  let queue: Queue;
  let redis: ReturnType<typeof connectRedis>;

  const maintainerOf = (sharedQueue = '') => {
    const keyspace = createKeyspace('test');
    const readJob = createSnapshotReader(redis, keyspace);
    const publisher = createPublisher({ redis, keyspace, logLength: 100, ttlMs: 60_000, sharded: true });
    return createScheduleMaintainer({
      redis,
      keyspace,
      openQueue: createQueues(redis, keyspace, () => {}),
      plan: planQueues(registry, sharedQueue),
      readJob,
      reconciler: createReconciler({
        keep: createRetentionTimes({ KEEP_JOBS_MS: 60_000, GONE_JOBS_MS: 60_000 }),
        redis,
        keyspace,
        publisher,
        readJob,
      }),
      expiry: createExpiry(redis, keyspace),
      files: openTestStore(),
      filesTtlMs: HOUR,
      log: pino({ level: 'silent' }),
    });
  };
  let keeper: ReturnType<typeof maintainerOf>;
  let now: number;

  beforeAll(async () => {
    server = await startRedis();
    registry = await loadRegistry([builtInJobsDir]);
    redis = connectRedis(server.url, 'bullmq', { scripts: allScripts });
    queue = new Queue('steps', { connection: redis, prefix: '{test}' });
  });
  beforeEach(async () => {
    keeper = maintainerOf();
    now = Date.now();
    await keeper.maintain();
  });
  afterEach(() => redis.flushall());
  afterAll(async () => {
    await queue.close();
    redis.disconnect();
    await server.stop();
  });

  const nextOf = async ({ id }: Schedule): Promise<number | undefined> =>
    (await queue.getJobScheduler(id))?.next;
  const make = async (changes: Partial<Schedule> = {}): Promise<Schedule> => {
    const made = schedule(changes);
    expect(await keeper.store.save(made)).toBe('saved');
    await keeper.sync(made.id);
    return made;
  };

  it('is synced by the leader when the process that changed it has died', async () => {
    const made = schedule();
    await keeper.store.save(made);
    await keeper.maintain(1000);
    expect(await nextOf(made)).toBeGreaterThan(now);
    expect(await keeper.store.pending()).toEqual([]);
    // A pause, a change and a deletion are synced in the same way.
    await keeper.store.save({ ...made, paused: true, version: 2 });
    await keeper.maintain(2000);
    expect(await nextOf(made)).toBeUndefined();
    await keeper.store.save({ ...made, cron: '0 0 2 1 *', version: 3, timedIn: 3 });
    await keeper.maintain(3000);
    expect(new Date((await nextOf(made))!).toISOString()).toMatch(/-01-02T/);
    await keeper.store.save({ ...made, deletedAt: now, version: 4 });
    await keeper.maintain(4000);
    expect(await nextOf(made)).toBeUndefined();
  });

  it('is moved by the leader of the first shard if nobody serves its shard', async () => {
    const made = await make({ queue: 'steps~s1', paused: true });
    await keeper.maintain(CHECK);
    expect(await keeper.store.read(made.id)).toMatchObject({ queue: 'steps', paused: true });
  });

  it.each<[string, (made: Schedule) => Promise<unknown>]>([
    ['its scheduler was removed', ({ id }) => queue.removeJobScheduler(id)],
    ['its queue was cleared', () => queue.obliterate({ force: true })],
    [
      'its next run was lost',
      async (made) => {
        const id = runId({ schedule: made.id, dueAt: (await nextOf(made))! });
        await redis.multi().del(`{test}:steps:${id}`).zrem('{test}:steps:delayed', id).exec();
      },
    ],
  ])('is repaired after %s', async (_what, harm) => {
    let laterMs = 0;
    for (const timing of [{}, { everyMs: HOUR, firstAt: now + HOUR }] as Partial<Schedule>[]) {
      const made = await make(timing);
      const before = await nextOf(made);
      await harm(made);
      await queue.resume();
      laterMs += CHECK;
      await keeper.maintain(laterMs);
      const after = await nextOf(made);
      expect(after! - before!).toBeLessThanOrEqual(timing.everyMs ?? 0);
      const run = await queue.getJob(runId({ schedule: made.id, dueAt: after! }));
      expect(await run!.getState()).toBe('delayed');
    }
  });

  it('is repaired after a process has synced an outdated version and died', async () => {
    const made = await make();
    await keeper.store.save({ ...made, paused: true, version: 2 });
    await keeper.sync(made.id);
    await queue.upsertJobScheduler(
      made.id,
      { pattern: '0 0 5 5 *' },
      { name: 'steps', opts: made.template as object },
    );
    await keeper.maintain(CHECK);
    expect(await nextOf(made)).toBeUndefined();

    const gone = await make();
    await keeper.store.save({ ...gone, deletedAt: now, version: 2 });
    await keeper.sync(gone.id);
    await queue.upsertJobScheduler(gone.id, { pattern: '0 0 5 5 *' }, { name: 'steps' });
    await keeper.maintain(2 * CHECK);
    expect(await nextOf(gone)).toBeUndefined();
    // In the end, no key is left.
    await keeper.maintain(HOUR);
    expect(await keeper.store.read(gone.id)).toBeUndefined();
    const left = (await redis.keys('*')).filter((key) => key.includes(gone.id));
    // The channel of a run expires on its own.
    expect(left.filter((key) => !key.startsWith('test:{job:'))).toEqual([]);
  });

  it('moves to the new queue of its kind, and is in one queue only', async () => {
    const made = await make();
    const moved = maintainerOf('shared');
    await moved.maintain(CHECK);
    expect(await nextOf(made)).toBeUndefined();
    const shared = new Queue('shared', { connection: redis, prefix: '{test}' });
    expect((await shared.getJobScheduler(made.id))!.next).toBeGreaterThan(now);
    expect((await moved.store.read(made.id))!.queue).toBe('shared');
    await shared.close();
  });

  it('ends with the last version in BullMQ when many processes change it concurrently', async () => {
    const made = await make();
    await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        for (;;) {
          const present = (await keeper.store.read(made.id))!;
          const version = present.version + 1;
          const next = { ...present, cron: `${i} 0 1 1 *`, paused: i % 3 === 0, version, timedIn: version };
          if ((await keeper.store.save(next)) === 'saved') break;
        }
        await keeper.sync(made.id);
      }),
    );
    const { version, paused, cron } = (await keeper.store.read(made.id))!;
    expect(version).toBe(21);
    expect(await keeper.store.pending()).toEqual([]);
    const minute = new Date((await nextOf(made)) ?? 0).getUTCMinutes();
    expect(paused ? await nextOf(made) : minute).toBe(paused ? undefined : Number(cron!.split(' ')[0]));
    expect(await queue.getDelayedCount()).toBe(paused ? 0 : 1);
  });

  it('keeps a run that is due and waits for a worker when the schedule is changed', async () => {
    const made = await make({ everyMs: HOUR, firstAt: now - 1 });
    const due = (await nextOf(made))!;
    const waiting = runId({ schedule: made.id, dueAt: due });
    await keeper.store.save({ ...made, data: { count: 2, intervalMs: 1 }, version: 2 });
    await keeper.sync(made.id);
    const run = (await queue.getJob(waiting))!;
    expect([await run.getState(), run.data]).toEqual(['waiting', { count: 1, intervalMs: 1 }]);
    const next = (await queue.getJob(runId({ schedule: made.id, dueAt: (await nextOf(made))! })))!;
    expect([await next.getState(), next.data]).toEqual(['delayed', { count: 2, intervalMs: 1 }]);
    expect(await keeper.store.runs(made.id)).toEqual({ count: 1, lastDue: due });
  });

  it('continues after its waiting last run when the limit is raised', async () => {
    for (const timing of [{ cron: '* * * * * *' }, { everyMs: HOUR, firstAt: now - 1 }]) {
      const made = await make({ ...timing, limit: 1 } as Partial<Schedule>);
      const due = (await nextOf(made))!;
      await until('it is due', () => Date.now() > due);
      await keeper.store.save({ ...made, limit: 3, version: 2 });
      await keeper.sync(made.id);
      const run = (await queue.getJob(runId({ schedule: made.id, dueAt: due })))!;
      expect(await run.getState()).toBe('waiting');
      expect(await nextOf(made)).toBeGreaterThan(due);
      expect(await keeper.store.runs(made.id)).toEqual({ count: 1, lastDue: due });
    }
  });

  it('counts each run once, whatever the order and repetitions', async () => {
    const { id } = await make();
    const published = Array.from({ length: 30 }, (_, i) => 1000 * (i + 1));
    for (const due of [...published, ...published.slice().reverse()]) await keeper.store.countRun(id, due);
    expect(await keeper.store.runs(id)).toEqual({ count: 30, lastDue: 30_000 });
    expect(await keeper.store.countRun(randomUUID(), 1)).toBe(false);
  });

  it('publishes the lifecycle of a run that no request started', async () => {
    const made = await make();
    const jobId = jobIdOf({ queue: 'steps', id: runId({ schedule: made.id, dueAt: (await nextOf(made))! }) });
    expect(await redis.hget(`test:{job:${jobId}}`, 'rank')).toBe('1');
  });
});
