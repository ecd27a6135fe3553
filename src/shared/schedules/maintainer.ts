import type { Redis } from 'ioredis';
import { fileIdsIn } from '../files/reference.js';
import type { FileStore } from '../files/store.js';
import { addressOf, type OpenQueue, type QueuePlan } from '../jobs/queues.js';
import { runOf } from '../jobs/scheduled-run.js';
import type { Expiry } from '../lifecycle/expiry.js';
import { createJobFaults } from '../lifecycle/job-faults.js';
import type { ObservableReconciler, ReconcileObserver } from '../lifecycle/observers.js';
import { isFinished, type JobSnapshot, type SnapshotReader } from '../lifecycle/snapshot.js';
import type { Logger } from '../process/log.js';
import { serverNow } from '../redis/server-clock.js';
import { allRuns, isAlive, isEnded, readChain } from './chain.js';
import type { Schedule } from './schedule.js';
import { createScheduleStore, type ScheduleStore } from './store.js';
import { createScheduleSync, type ScheduleSync } from './sync.js';

const CHECK_MS = 30_000;
/** Longer than anybody holds on to what he has read of a schedule. */
const BURIED_MS = 10 * 60_000;

export interface ScheduleMaintainerOptions {
  redis: Redis;
  prefix: string;
  openQueue: OpenQueue;
  plan: QueuePlan;
  readJob: SnapshotReader;
  reconciler: ObservableReconciler;
  expiry: Expiry;
  files: FileStore;
  /** How long a file is kept that nobody touches, in ms. */
  filesTtlMs: number;
  log: Logger;
}

/** Looks after the schedules: every process has one, and one process at a time tends. */
export interface ScheduleMaintainer {
  store: ScheduleStore;
  /** Makes BullMQ agree with a schedule. */
  sync: ScheduleSync;
  /** Counts the runs of schedules that have started, and sets the expiry of those that have not. */
  observer: ReconcileObserver;
  /**
   * What the leader does every second or two: tells BullMQ of changes that whoever made them did not live to tell; now
   * and then mends what does not agree, and keeps alive the files that schedules name.
   * @param aheadMs for tests: acts as if it were this much later
   */
  tend(aheadMs?: number): Promise<void>;
}

export function createScheduleMaintainer(options: ScheduleMaintainerOptions): ScheduleMaintainer {
  const { openQueue, plan, readJob, expiry, files, log } = options;
  const store = createScheduleStore(options.redis, options.prefix);
  const observer: ReconcileObserver = { afterReconcile: recordRun };
  const reconciler = options.reconciler.with(observer);
  const sync = createScheduleSync({ store, openQueue, readJob, reconciler });
  const faults = createJobFaults(log, 'schedule');
  const broken = new Set<string>();
  let checkedAt = Number.NEGATIVE_INFINITY;
  let touchedAt = Number.NEGATIVE_INFINITY;
  let tending: Promise<void> | undefined;

  /** No call of ours made this job: what a start does for others is done here. May be called any number of times. */
  async function recordRun(job: JobSnapshot): Promise<void> {
    const run = runOf(addressOf(job.id)!.id);
    if (!run || job.settings.schedule?.id !== run.schedule) return;
    const begun = job.attempt > 0 || isFinished(job);
    if (!begun) {
      if (job.settings.expiresAt !== undefined) await expiry.add(job.id, job.settings.expiresAt);
    } else if (await store.ran(run.schedule, run.dueAt)) {
      // BullMQ makes a last run after the end of an interval's time, and counts otherwise than we do.
      const schedule = await store.read(run.schedule);
      if (schedule?.endAt ?? schedule?.limit) await sync(run.schedule);
    }
  }

  async function check(schedule: Schedule, now: number): Promise<void> {
    const { id, queue, name, version, deletedAt, paused } = schedule;
    const chain = await readChain(openQueue(queue), readJob, id);
    if (deletedAt !== undefined) {
      if (chain) await sync(id);
      else if (deletedAt + BURIED_MS < now) await store.drop(id);
      return;
    }
    if (plan.of(name) !== queue) {
      // The configuration has changed. BullMQ makes no more runs in the old queue before it does in the new one.
      await openQueue(queue).removeJobScheduler(id);
      const moved = { ...schedule, queue: plan.of(name), version: version + 1, timedIn: version + 1 };
      if ((await store.save(moved)) === 'saved') await sync(id);
      return;
    }
    const runs = allRuns(await store.runs(id), chain);
    const off = paused || isEnded(schedule, runs, chain, now);
    if (off ? chain : !isAlive(chain, schedule)) {
      log.info({ schedule: id }, 'mending a schedule that BullMQ does not agree with');
      await sync(id);
    }
  }

  async function keepFiles(schedule: Schedule): Promise<void> {
    if (schedule.deletedAt !== undefined) return;
    // One that is gone is found missing by the run that wants it.
    for (const { id } of fileIdsIn(schedule.data)) await files.touch(id).catch(() => {});
  }

  async function tendAll(aheadMs: number): Promise<void> {
    const now = performance.now() + aheadMs;
    for (const id of await store.pending()) await guard(id, () => sync(id));
    const checks = now - checkedAt >= CHECK_MS;
    const touches = now - touchedAt >= options.filesTtlMs / 4;
    if (!checks && !touches) return;
    for await (const schedule of store.all(noteBroken)) {
      await guard(schedule.id, async () => {
        if (touches) await keepFiles(schedule);
        if (checks) await check(schedule, serverNow() + aheadMs);
      });
    }
    // Not before: when Redis goes away in the middle, all of it is done again.
    if (checks) checkedAt = now;
    if (touches) touchedAt = now;
  }

  /** Sees to one schedule. What is wrong with it is logged once, and the others go on. */
  const guard = (id: string, work: () => Promise<void>): Promise<void> =>
    faults.guard('look after', id, work);

  function noteBroken(id: string): void {
    if (broken.has(id)) return;
    broken.add(id);
    log.warn({ schedule: id }, 'what is kept of a schedule cannot be read; it is stepped over');
  }

  return {
    store,
    sync,
    observer,
    async tend(aheadMs = 0) {
      tending ??= tendAll(aheadMs).finally(() => {
        tending = undefined;
      });
      await tending;
    },
  };
}
