import type { ChannelEvent, Fence } from '../channel/publisher.js';
import { isFinished, type JobSnapshot } from './snapshot.js';

/**
 * The place of a lifecycle event within its attempt. Together with the attempt it is the event's identity:
 * positions only go up, so an event that two processes find missing is published once. A job may be put back and
 * end again without an attempt between: then it is `ended` 8, `reopened` 9, ended 10, reopened 11 and so on.
 */
export const RANK = {
  active: 0,
  delayed: 1,
  waiting: 2,
  stalled: 3,
  retrying: 4,
  waitingAgain: 5,
  ended: 8,
  reopened: 9,
};

/** How far the lifecycle of a job has been told on its channel. */
export interface Told {
  attempt: number;
  rank: number;
  failures: number;
  stalls: number;
  /** Whether the queue was told to be paused. */
  paused?: boolean;
  /** Offset of the terminal event, when the last thing told is the end. */
  end: number | undefined;
}

/** A lifecycle event and the position that keeps it from being told twice. */
export interface Transition {
  event: ChannelEvent;
  fence: Fence;
}

/**
 * What has to be told so that a channel agrees with the job. It looks at states, not at messages, so it does
 * not matter which message was lost with which process.
 * @param told read before `job` was, so that a job found unfinished after its end was told really runs again
 */
export function transitions(told: Told | undefined, job: JobSnapshot): Transition[] {
  const finished = isFinished(job);
  const out: Transition[] = [];
  let known = told;

  if (known?.end !== undefined && !finished) {
    const attempt = job.state === 'active' ? job.attempt - 1 : job.attempt;
    const rank = attempt === known.attempt ? known.rank + 1 : RANK.reopened;
    out.push(lifecycle(job, { attempt, rank, reopens: known.end }, 'waiting'));
    known = { attempt, rank, failures: job.failures, stalls: job.stalls, end: undefined };
  }
  if (known?.paused && !job.paused && !finished) out.push(queueState(job, known.attempt, false));
  // A run that was told to be active and is over: what became of it?
  const ranBefore = known !== undefined && known.attempt > 0 && known.rank === RANK.active;
  const over = ranBefore && (job.attempt > known!.attempt || (job.state !== 'active' && !finished));
  if (over) {
    const after = afterRun(known!, job);
    if (after) out.push(after);
  }

  if (finished) {
    out.push(lifecycle(job, { attempt: job.attempt, rank: endRank(known, job.attempt) }, job.state));
  } else if (job.state === 'active') {
    out.push(lifecycle(job, { attempt: job.attempt, rank: RANK.active }, 'active'));
  } else if (job.attempt === 0 && !isReopened(known)) {
    const delayed = job.state === 'delayed';
    out.push(
      lifecycle(
        job,
        { attempt: 0, rank: delayed ? RANK.delayed : RANK.waiting },
        delayed ? 'delayed' : 'waiting',
      ),
    );
  } else if (!ranBefore && !known) {
    out.push(lifecycle(job, { attempt: job.attempt, rank: RANK.waitingAgain }, 'waiting'));
  }
  const news = out.filter(
    ({ fence }) => fence.rank === undefined || fence.reopens !== undefined || isNews(known, fence),
  );
  // What else is told may be of a new attempt, which knows nothing of the queue.
  if (job.paused && (!known?.paused || news.length > 0)) news.push(queueState(job, job.attempt, true));
  return news;
}

function afterRun(told: Told, job: JobSnapshot): Transition | undefined {
  const { attempt } = told;
  const stalled = job.stalls > told.stalls;
  const failed = job.failures > told.failures;
  if (stalled) return lifecycle(job, { attempt, rank: RANK.stalled }, 'stalled');
  if (isFinished(job)) return undefined;
  if (failed) return lifecycle(job, { attempt, rank: RANK.retrying }, 'retrying');
  return lifecycle(job, { attempt, rank: RANK.waitingAgain }, 'waiting');
}

const isReopened = (known: Told | undefined): boolean =>
  known !== undefined && known.end === undefined && known.rank >= RANK.reopened;

/** The rank of an end: beyond the reopening, when it was reopened and has not run since. */
const endRank = (known: Told | undefined, attempt: number): number =>
  isReopened(known) && known!.attempt === attempt ? known!.rank + 1 : RANK.ended;

function isNews(known: Told | undefined, { attempt, rank }: Fence): boolean {
  return !known || attempt > known.attempt || (attempt === known.attempt && rank! > known.rank);
}

type LifecycleEvent =
  | 'waiting'
  | 'delayed'
  | 'active'
  | 'stalled'
  | 'retrying'
  | 'completed'
  | 'failed'
  | 'cancelled';

function lifecycle(job: JobSnapshot, position: Fence, event: string): Transition {
  const ends = event === 'completed' || event === 'failed' || event === 'cancelled';
  return {
    event: {
      event,
      data: {
        jobId: job.id,
        name: job.name,
        attempt: position.attempt,
        ...details(event as LifecycleEvent, job),
      },
      ...(ends ? { end: true } : {}),
    },
    fence: { ...position, failures: job.failures, stalls: job.stalls },
  };
}

function details(event: LifecycleEvent, job: JobSnapshot): Record<string, unknown> {
  const at = Date.now();
  switch (event) {
    case 'delayed':
      return { until: job.dueAt, at };
    case 'active':
      return { attempts: job.attempts, at: job.startedAt ?? at };
    case 'retrying':
      return {
        attempts: job.attempts,
        error: errorOf(job),
        ...(job.dueAt ? { nextAttemptAt: job.dueAt } : {}),
        at,
      };
    case 'completed':
      return { result: job.result, at: job.finishedAt };
    case 'failed':
      return { error: errorOf(job), at: job.finishedAt };
    case 'cancelled':
      return { reason: 'requested', at: job.finishedAt };
    default:
      return { at };
  }
}

/** The event that says whether the job's queue is paused: a state, of which only the newest matters. */
export function queueState({ id }: Pick<JobSnapshot, 'id'>, attempt: number, paused: boolean): Transition {
  return {
    event: { event: 'queue', kind: 'state', data: { jobId: id, attempt, paused, at: Date.now() } },
    fence: { attempt, paused },
  };
}

/** A job's error as clients see it. */
export const errorOf = ({ failedReason = 'unknown error', errorCode }: JobSnapshot) => ({
  message: failedReason,
  ...(errorCode ? { code: errorCode } : {}),
});

/** The event that a job is about to be queued, told before it is, so that it comes before `active`. */
export function accepted(job: { id: string; name: string; dueAt?: number }): Transition {
  const state = job.dueAt === undefined ? 'waiting' : 'delayed';
  const snapshot = {
    ...job,
    state,
    attempt: 0,
    attempts: 1,
    failures: 0,
    stalls: 0,
    createdAt: 0,
  } as JobSnapshot;
  return lifecycle(snapshot, { attempt: 0, rank: RANK[state] }, state);
}

/** The terminal event of a job that is not in BullMQ any more though its end was never told. */
export function ended(
  told: Told,
  jobId: string,
  name: string | undefined,
  how: { event: 'cancelled' | 'failed' | 'completed'; data: Record<string, unknown> },
): Transition {
  return {
    event: {
      event: how.event,
      data: { jobId, ...(name ? { name } : {}), attempt: told.attempt, ...how.data, at: Date.now() },
      end: true,
    },
    fence: {
      attempt: told.attempt,
      rank: endRank(told, told.attempt),
      failures: told.failures,
      stalls: told.stalls,
    },
  };
}
