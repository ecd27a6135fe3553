import type { Queue } from 'bullmq';
import { jobIdOf } from '../jobs/queues.js';
import { runId } from '../jobs/scheduled-run.js';
import { jobSettings } from '../jobs/settings.js';
import { isFinished, type JobSnapshot, type SnapshotReader } from '../lifecycle/snapshot.js';
import type { Schedule } from './schedule.js';
import type { RunCounts } from './store.js';
import { upcoming } from './timing.js';

/**
 * BullMQ's side of a schedule. Its scheduler makes one run at a time: a worker that takes a run makes the next. When a run
 * disappears without being taken, none follows.
 */
export interface Chain {
  /** The version of the schedule that BullMQ was told. */
  version: number;
  /** The run that it made last, and when that is due. */
  jobId: string;
  dueAt: number;
  /** `undefined` when it is gone. */
  run: JobSnapshot | undefined;
}

/** Reads it; `undefined` when BullMQ has no such scheduler. */
export async function readChain(
  queue: Queue,
  readJob: SnapshotReader,
  id: string,
): Promise<Chain | undefined> {
  const scheduler = await queue.getJobScheduler(id);
  if (scheduler?.next == null) return undefined;
  const jobId = jobIdOf({ queue: queue.name, id: runId({ schedule: id, dueAt: scheduler.next }) });
  return {
    version: jobSettings(scheduler.template?.opts).schedule?.version ?? 0,
    jobId,
    dueAt: scheduler.next,
    run: await readJob(jobId),
  };
}

/** Its newest run, when that has yet to begin. */
export function nextRun(chain: Chain | undefined): JobSnapshot | undefined {
  const { run } = chain ?? {};
  return run && run.attempt === 0 && !isFinished(run) && run.state !== 'active' ? run : undefined;
}

/** The runs that were counted, and the newest when that has begun this moment and is not counted yet. */
export function allRuns(runs: RunCounts, chain: Chain | undefined): RunCounts {
  if (!chain?.run || nextRun(chain) || (runs.lastDue ?? 0) >= chain.dueAt) return runs;
  return { count: runs.count + 1, lastDue: chain.dueAt };
}

/** Whether nothing follows: its limit is reached, or its time is over. */
export function isEnded(schedule: Schedule, runs: RunCounts, chain: Chain | undefined, now: number): boolean {
  if (schedule.limit !== undefined && runs.count >= schedule.limit) return true;
  const inTime = schedule.endAt === undefined || (chain && chain.dueAt <= Date.parse(schedule.endAt));
  if (nextRun(chain) && inTime) return false;
  return upcoming(schedule, runs.lastDue, now) === undefined;
}

/** Whether BullMQ was told this version, and another run will come of it. */
export const isAlive = (chain: Chain | undefined, { version }: Schedule): boolean =>
  chain?.version === version && chain.run !== undefined && !isFinished(chain.run);
