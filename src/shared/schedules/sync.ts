import { Job, type RepeatOptions } from 'bullmq';
import { jobIdOf, type OpenQueue, requireAddress } from '../jobs/queues.js';
import { runId } from '../jobs/scheduled-run.js';
import type { Reconciler } from '../lifecycle/reconcile.js';
import type { SnapshotReader } from '../lifecycle/snapshot.js';
import { serverNow } from '../redis/server-clock.js';
import { allRuns, type Chain, isAlive, isEnded, nextRun, readChain } from './chain.js';
import type { Schedule } from './schedule.js';
import type { RunCounts, ScheduleStore } from './store.js';
import { nextDue, upcoming } from './timing.js';

/** The tolerated deviation of a process's clock, in ms. A wrong clock must not end a schedule too early. */
const CLOCKS_DIFFER_MS = 24 * 3_600_000;

export interface ScheduleSyncOptions {
  store: ScheduleStore;
  openQueue: OpenQueue;
  readJob: SnapshotReader;
  reconciler: Reconciler;
}

/** Brings BullMQ in sync with a stored schedule, whatever an earlier sync has left unfinished. */
export type ScheduleSync = (id: string) => Promise<void>;

export function createScheduleSync({
  store,
  openQueue,
  readJob,
  reconciler,
}: ScheduleSyncOptions): ScheduleSync {
  async function remove({ queue, id }: Schedule, chain: Chain | undefined): Promise<void> {
    if (!chain) return;
    await openQueue(queue).removeJobScheduler(id);
    // The next run may have been removed with the scheduler.
    await reconciler.reconcile(chain.jobId);
  }

  /** Returns the first due time without a job. A cancelled run keeps its id, so its time is not free. */
  async function freeTime(
    schedule: Schedule,
    runs: RunCounts,
    chain: Chain | undefined,
  ): Promise<number | undefined> {
    const { queue, id, cron } = schedule;
    let dueAt = upcoming(schedule, runs.lastDue, serverNow());
    // For intervals, BullMQ does this itself.
    while (cron !== undefined && dueAt !== undefined) {
      const job = await readJob(jobIdOf({ queue, id: runId({ schedule: id, dueAt }) }));
      if (!job || job.id === nextRun(chain)?.id) break;
      dueAt = nextDue(schedule, dueAt);
    }
    return dueAt;
  }

  /**
   * Keeps a run that is due and waits for a worker, and removes its scheduler. A change applies to later runs.
   * @returns whether there was such a run
   */
  async function keepDue({ queue, id }: Schedule, chain: Chain | undefined): Promise<boolean> {
    const waiting = nextRun(chain);
    if (!chain || !waiting) return false;
    if (waiting.state === 'delayed') {
      if (chain.dueAt > serverNow()) return false;
      // Removing a scheduler also removes its delayed run.
      const run = await Job.fromId(openQueue(queue), requireAddress(waiting.id).id);
      await run?.promote().catch((error: unknown) => {
        if (!/is not in the delayed state/.test((error as Error).message)) throw error;
      });
    }
    await store.countRun(id, chain.dueAt);
    await openQueue(queue).removeJobScheduler(id);
    return true;
  }

  async function upsert(schedule: Schedule, runs: RunCounts, present: Chain | undefined): Promise<void> {
    const queue = openQueue(schedule.queue);
    let chain = present;
    // BullMQ keeps the due time of a run that it replaces, so after a change to the timing the scheduler is removed first.
    if (chain && chain.version < schedule.timedIn) {
      await remove(schedule, chain);
      chain = undefined;
    }
    const due = await freeTime(schedule, runs, chain);
    if (due === undefined) return remove(schedule, chain);
    const { cron, everyMs, timeZone = 'UTC' } = schedule;
    const repeat: RepeatOptions = {
      ...(cron === undefined ? {} : { pattern: cron, tz: timeZone, startDate: due - 1 }),
      ...(cron === undefined && everyMs !== undefined ? { every: everyMs, startDate: due } : {}),
      // BullMQ compares `endDate` with the clock of the process. It only matters if Headway no longer runs.
      ...(schedule.endAt === undefined ? {} : { endDate: Date.parse(schedule.endAt) + CLOCKS_DIFFER_MS }),
      ...(schedule.limit === undefined ? {} : { limit: schedule.limit - runs.count }),
    };
    const { template, version, id } = schedule;
    const opts = { ...template, headway: { ...template.headway, schedule: { id, version } } };
    const made = await queue.upsertJobScheduler(id, repeat, {
      name: schedule.name,
      data: schedule.data,
      opts,
    });
    if (chain) await reconciler.reconcile(chain.jobId);
    if (made?.id) await reconciler.reconcile(jobIdOf({ queue: schedule.queue, id: made.id }));
  }

  return async (id) => {
    let seen: Schedule | undefined;
    for (;;) {
      const schedule = await store.read(id);
      // The schedule was dropped during the sync.
      if (!schedule) return seen && remove(seen, await readChain(openQueue(seen.queue), readJob, id));
      seen = schedule;
      const [chain, counted] = await Promise.all([
        readChain(openQueue(schedule.queue), readJob, id),
        store.runs(id),
      ]);
      const runs = allRuns(counted, chain);
      const off = schedule.deletedAt !== undefined || schedule.paused;
      if (off || isEnded(schedule, runs, chain, serverNow())) await remove(schedule, chain);
      else if (!isAlive(chain, schedule)) {
        if (await keepDue(schedule, chain)) continue;
        await upsert(schedule, runs, chain);
      }
      // If the schedule has changed meanwhile, this sync may have overwritten a newer one. Repeat it.
      if (await store.markSynced(schedule)) return;
    }
  };
}
