import { fileIdsIn } from '../files/reference.js';
import type { FileStore } from '../files/store.js';
import { type OpenQueue, type QueuePlan, requireAddress } from '../jobs/queues.js';
import { runOf } from '../jobs/scheduled-run.js';
import type { Keyspace } from '../keyspace.js';
import type { Expiry } from '../lifecycle/expiry.js';
import { createJobFaults } from '../lifecycle/job-faults.js';
import type { ObservableReconciler, ReconcileObserver } from '../lifecycle/observers.js';
import { isFinished, type JobSnapshot, type SnapshotReader } from '../lifecycle/snapshot.js';
import { singleFlight } from '../process/every.js';
import type { Logger } from '../process/log.js';
import type { RedisClient } from '../redis/client.js';
import { serverNow } from '../redis/server-clock.js';
import { inShard, placedQueue, shardOf } from '../shards.js';
import { allRuns, isAlive, isEnded, readChain } from './chain.js';
import type { Schedule } from './schedule.js';
import { createScheduleStore, type ScheduleStore } from './store.js';
import { createScheduleSync, type ScheduleSync } from './sync.js';

const CHECK_MS = 30_000;
/** How long a deleted schedule is kept, in ms. After this time, no process still works with a version that it has read. */
const KEEP_DELETED_MS = 10 * 60_000;

export interface ScheduleMaintainerOptions {
  redis: RedisClient;
  keyspace: Keyspace;
  openQueue: OpenQueue;
  plan: QueuePlan;
  readJob: SnapshotReader;
  reconciler: ObservableReconciler;
  expiry: Expiry;
  files: FileStore;
  /** How long an unused file is kept, in ms. */
  filesTtlMs: number;
  log: Logger;
}

/** Keeps BullMQ in sync with the schedules. Every process has a maintainer; only the leader calls `maintain`. */
export interface ScheduleMaintainer {
  store: ScheduleStore;
  /** Brings BullMQ in sync with one schedule. */
  sync: ScheduleSync;
  /** Returns the queue of a schedule's runs, in its shard. It differs from the stored one if the configuration has changed. */
  queueOf(schedule: Pick<Schedule, 'id' | 'name' | 'queue'>): string;
  /** Counts the runs of schedules that have started, and sets the expiry of those that have not. */
  observer: ReconcileObserver;
  /**
   * The leader's work every second or two: syncs schedules whose process died before it had synced them. From time to time,
   * it also checks all schedules and touches the files that they use.
   * @param aheadMs for tests: shifts the current time
   * @param shard the shard of the schedules. Defaults to 0
   */
  maintain(aheadMs?: number, shard?: number): Promise<void>;
}

export function createScheduleMaintainer(options: ScheduleMaintainerOptions): ScheduleMaintainer {
  const { openQueue, plan, readJob, expiry, files, log } = options;
  const store = createScheduleStore(options.redis, options.keyspace);
  const observer: ReconcileObserver = { afterReconcile: recordRun };
  const reconciler = options.reconciler.with(observer);
  const sync = createScheduleSync({ store, openQueue, readJob, reconciler });
  const faults = createJobFaults(log, 'schedule');
  const { shards } = options.keyspace;
  const broken = new Set<string>();
  /** When the schedules of each shard were last checked, and their files touched. */
  const doneAt = new Map<number, { checked: number; touched: number }>();
  const rounds: Array<(aheadMs: number) => Promise<void>> = [];

  /** Does for a scheduled run what `enqueue` does for other jobs, because BullMQ creates the runs itself. Idempotent. */
  async function recordRun(job: JobSnapshot): Promise<void> {
    const run = runOf(requireAddress(job.id).id);
    if (!run || job.settings.schedule?.id !== run.schedule) return;
    const begun = job.attempt > 0 || isFinished(job);
    if (!begun) {
      if (job.settings.expiresAt !== undefined) await expiry.add(job.id, job.settings.expiresAt);
    } else if (await store.countRun(run.schedule, run.dueAt)) {
      // BullMQ creates one run after `endAt` of an interval, and counts runs differently.
      const schedule = await store.read(run.schedule);
      if (schedule?.endAt ?? schedule?.limit) await sync(run.schedule);
    }
  }

  async function check(schedule: Schedule, now: number): Promise<void> {
    const { id, queue, version, deletedAt, paused } = schedule;
    const chain = await readChain(openQueue(queue), readJob, id);
    if (deletedAt !== undefined) {
      if (chain) await sync(id);
      else if (deletedAt + KEEP_DELETED_MS < now) await store.drop(id);
      return;
    }
    const place = queueOf(schedule);
    if (place !== queue) {
      // The configuration has changed. The scheduler in the old queue is removed before there is one in the new queue.
      await openQueue(queue).removeJobScheduler(id);
      const moved = { ...schedule, queue: place, version: version + 1, timedIn: version + 1 };
      if ((await store.save(moved)) === 'saved') await sync(id);
      return;
    }
    const runs = allRuns(await store.runs(id), chain);
    const off = paused || isEnded(schedule, runs, chain, now);
    if (off ? chain : !isAlive(chain, schedule)) {
      log.info({ schedule: id }, 'repairing a schedule that is out of sync with BullMQ');
      await sync(id);
    }
  }

  async function keepFiles(schedule: Schedule): Promise<void> {
    if (schedule.deletedAt !== undefined) return;
    // A missing file fails the run that needs it.
    for (const { id } of fileIdsIn(schedule.data)) await files.touch(id).catch(() => {});
  }

  /** A schedule stays in its shard, unless new jobs no longer go there. */
  function queueOf({ id, name, queue }: Pick<Schedule, 'id' | 'name' | 'queue'>): string {
    const shard = shardOf(queue);
    return shard < shards.placed ? inShard(plan.of(name), shard) : placedQueue(plan.of(name), id, shards);
  }

  async function syncPending(shard: number, id: string): Promise<void> {
    // With a single shard, nothing has to be read to find out.
    if (shards.known > 1) {
      const schedule = await store.read(id);
      if (shardOf(schedule?.queue ?? '') !== shard) return;
    }
    await sync(id);
  }

  async function maintainShard(shard: number, aheadMs: number): Promise<void> {
    const now = performance.now() + aheadMs;
    const last = doneAt.get(shard) ?? {
      checked: Number.NEGATIVE_INFINITY,
      touched: Number.NEGATIVE_INFINITY,
    };
    for (const id of await store.pending()) await guard(id, () => syncPending(shard, id));
    const checks = now - last.checked >= CHECK_MS;
    const touches = now - last.touched >= options.filesTtlMs / 4;
    if (!checks && !touches) return;
    for await (const schedule of store.all(reportBroken)) {
      if (shardOf(schedule.queue) !== shard) continue;
      await guard(schedule.id, async () => {
        if (touches) await keepFiles(schedule);
        if (checks) await check(schedule, serverNow() + aheadMs);
      });
    }
    // Set last: if Redis becomes unavailable in between, everything is repeated.
    doneAt.set(shard, { checked: checks ? now : last.checked, touched: touches ? now : last.touched });
  }

  /** Works on one schedule. An error is logged once and does not stop the others. */
  const guard = (id: string, work: () => Promise<void>): Promise<void> => faults.guard('maintain', id, work);

  function reportBroken(id: string): void {
    if (broken.has(id)) return;
    broken.add(id);
    log.warn({ schedule: id }, 'could not read a stored schedule; it is skipped');
  }

  return {
    store,
    sync,
    observer,
    queueOf,
    maintain(aheadMs = 0, shard = 0) {
      rounds[shard] ??= singleFlight((ahead) => maintainShard(shard, ahead));
      return rounds[shard](aheadMs);
    },
  };
}
