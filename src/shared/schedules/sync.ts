import { Job, type RepeatOptions } from 'bullmq';
import { addressOf, jobIdOf, type OpenQueue } from '../jobs/queues.js';
import { runId } from '../jobs/scheduled-run.js';
import type { Reconciler } from '../lifecycle/reconcile.js';
import type { SnapshotReader } from '../lifecycle/snapshot.js';
import { serverNow } from '../redis/server-clock.js';
import { allRuns, type Chain, isAlive, isEnded, nextRun, readChain } from './chain.js';
import type { Schedule } from './schedule.js';
import type { RunCounts, ScheduleStore } from './store.js';
import { nextDue, upcoming } from './timing.js';

/** How wrong the clock of a process may be, in ms, without ending a schedule too early. */
const CLOCKS_DIFFER_MS = 24 * 3_600_000;

export interface ScheduleSyncOptions {
  store: ScheduleStore;
  openQueue: OpenQueue;
  readJob: SnapshotReader;
  reconciler: Reconciler;
}

/** Makes BullMQ agree with a schedule as it is kept here, whatever was left half done. */
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
    // Its next run may have been removed with it.
    await reconciler.reconcile(chain.jobId);
  }

  /** Finds the time of the next run under which there is no job: one that was cancelled keeps its place. */
  async function freeTime(
    schedule: Schedule,
    runs: RunCounts,
    chain: Chain | undefined,
  ): Promise<number | undefined> {
    const { queue, id, cron } = schedule;
    let dueAt = upcoming(schedule, runs.lastDue, serverNow());
    // For intervals BullMQ does it.
    while (cron !== undefined && dueAt !== undefined) {
      const job = await readJob(jobIdOf({ queue, id: runId({ schedule: id, dueAt }) }));
      if (!job || job.id === nextRun(chain)?.id) break;
      dueAt = nextDue(schedule, dueAt);
    }
    return dueAt;
  }

  /**
   * A run that is due and only waits for a worker stays what it is, without a scheduler: a change is for those after it.
   * @returns whether there was one
   */
  async function keepDue({ queue, id }: Schedule, chain: Chain | undefined): Promise<boolean> {
    const waiting = nextRun(chain);
    if (!waiting) return false;
    if (waiting.state === 'delayed') {
      if (chain!.dueAt > serverNow()) return false;
      // A scheduler that is removed takes along what is still among the delayed.
      const run = await Job.fromId(openQueue(queue), addressOf(waiting.id)!.id);
      await run?.promote().catch((error: unknown) => {
        if (!/is not in the delayed state/.test((error as Error).message)) throw error;
      });
    }
    await store.ran(id, chain!.dueAt);
    await openQueue(queue).removeJobScheduler(id);
    return true;
  }

  async function tell(schedule: Schedule, runs: RunCounts, present: Chain | undefined): Promise<void> {
    const queue = openQueue(schedule.queue);
    let chain = present;
    // BullMQ keeps the time of a run that it replaces.
    if (chain && chain.version < schedule.timedIn) {
      await remove(schedule, chain);
      chain = undefined;
    }
    const due = await freeTime(schedule, runs, chain);
    if (due === undefined) return remove(schedule, chain);
    const repeat: RepeatOptions = {
      ...(schedule.cron === undefined
        ? { every: schedule.everyMs!, startDate: due }
        : { pattern: schedule.cron, tz: schedule.timeZone ?? 'UTC', startDate: due - 1 }),
      // BullMQ compares it with the clock of each process: it is only there for a schedule that is left without Headway.
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
    if (made?.id) await reconciler.reconcile(jobIdOf({ queue: queue.name, id: made.id }));
  }

  return async (id) => {
    let seen: Schedule | undefined;
    for (;;) {
      const schedule = await store.read(id);
      // Dropped while we told BullMQ of it.
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
        await tell(schedule, runs, chain);
      }
      // Somebody may have changed it, and told BullMQ before we did: then what we told is out of date.
      if (await store.markSynced(schedule)) return;
    }
  };
}
