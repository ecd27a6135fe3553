import type { Queue } from 'bullmq';
import { jobIdOf } from '../jobs/queues.js';
import { runId } from '../jobs/scheduled-run.js';
import { jobSettings } from '../jobs/settings.js';
import { isFinished, type JobSnapshot, type SnapshotReader } from '../lifecycle/snapshot.js';
import { queueIn } from '../shards.js';
import type { Schedule } from './schedule.js';
import type { RunCounts } from './store.js';
import { upcoming } from './timing.js';

/**
 * The state of a schedule in BullMQ. BullMQ's job scheduler creates one run at a time: the worker that takes a run creates the
 * next one. If a run disappears before a worker takes it, no further run follows.
 */
export interface Chain {
  /** The version of the schedule in BullMQ. */
  version: number;
  /** The newest run, and its due time. */
  jobId: string;
  dueAt: number;
  /** `undefined` if the run was removed. */
  run: JobSnapshot | undefined;
}

/** Reads the chain of a schedule; `undefined` if BullMQ has no such job scheduler. */
export async function readChain(
  queue: Queue,
  readJob: SnapshotReader,
  id: string,
): Promise<Chain | undefined> {
  const scheduler = await queue.getJobScheduler(id);
  if (scheduler?.next == null) return undefined;
  const jobId = jobIdOf({ queue: queueIn(queue), id: runId({ schedule: id, dueAt: scheduler.next }) });
  return {
    version: jobSettings(scheduler.template?.opts).schedule?.version ?? 0,
    jobId,
    dueAt: scheduler.next,
    run: await readJob(jobId),
  };
}

/** Returns the newest run if it has not started. */
export function nextRun(chain: Chain | undefined): JobSnapshot | undefined {
  const { run } = chain ?? {};
  return run && run.attempt === 0 && !isFinished(run) && run.state !== 'active' ? run : undefined;
}

/** Returns the counted runs, plus the newest run if it has started but is not counted yet. */
export function allRuns(runs: RunCounts, chain: Chain | undefined): RunCounts {
  if (!chain?.run || nextRun(chain) || (runs.lastDue ?? 0) >= chain.dueAt) return runs;
  return { count: runs.count + 1, lastDue: chain.dueAt };
}

/** Returns whether no further run follows: the limit is reached or `endAt` has passed. */
export function isEnded(schedule: Schedule, runs: RunCounts, chain: Chain | undefined, now: number): boolean {
  if (schedule.limit !== undefined && runs.count >= schedule.limit) return true;
  const inTime = schedule.endAt === undefined || (chain && chain.dueAt <= Date.parse(schedule.endAt));
  if (nextRun(chain) && inTime) return false;
  return upcoming(schedule, runs.lastDue, now) === undefined;
}

/** Returns whether BullMQ has this version of the schedule and another run will follow. */
export const isAlive = (chain: Chain | undefined, { version }: Schedule): boolean =>
  chain?.version === version && chain.run !== undefined && !isFinished(chain.run);
