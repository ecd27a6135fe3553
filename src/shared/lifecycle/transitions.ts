import type { ChannelEvent, Fence, Mark } from '../channel/publisher.js';
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
  /** When the job was told to be due, the last time that it was told to be delayed. */
  due?: number;
  /** Offset of the terminal event, when the last thing told is the end. */
  end: number | undefined;
}

/** A lifecycle event and the position that keeps it from being told twice. */
export interface Transition {
  event: ChannelEvent;
  fence: Fence;
}

/** A job that is due this much sooner or later than was told has been moved, in ms. */
const MOVED_MS = 1000;

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
  if (known?.paused && !job.paused && !finished && !isBeingWithdrawn(known, job)) {
    out.push(queueState(job, known.attempt, false));
  }
  // A run that was told to be active and is over: what became of it?
  const ranBefore = known !== undefined && known.attempt > 0 && known.rank === RANK.active;
  const over = ranBefore && (job.attempt > known!.attempt || (job.state !== 'active' && !finished));
  const after = over ? afterRun(known!, job) : undefined;
  if (after) out.push(after);
  // A run that began and is over before anybody told of it.
  if (known && job.attempt > known.attempt && job.state !== 'active' && !finished) {
    out.push(lifecycle(job, { attempt: job.attempt, rank: RANK.active }, 'active'));
    out.push(afterRun({ ...accountedFor(known, after), attempt: job.attempt }, job)!);
  }

  const moved = isMoved(known, job);
  if (moved && job.attempt > 0) {
    out.push(lifecycle(job, { attempt: job.attempt, rank: known!.rank, ...dueMark(known, job) }, 'delayed'));
  }
  if (isBroughtForward(known, job)) {
    out.push(lifecycle(job, { attempt: job.attempt, rank: RANK.waitingAgain }, 'waiting'));
  }

  if (finished) {
    if (ranUntold(known, job)) {
      out.push(lifecycle(job, { attempt: job.attempt, rank: RANK.active }, 'active'));
    }
    out.push(lifecycle(job, { attempt: job.attempt, rank: endRank(known, job.attempt) }, job.state));
  } else if (job.state === 'active') {
    out.push(lifecycle(job, { attempt: job.attempt, rank: RANK.active }, 'active'));
  } else if (job.attempt === 0 && !isReopened(known)) {
    const delayed = job.state === 'delayed';
    out.push(
      lifecycle(
        job,
        delayed
          ? { attempt: 0, rank: RANK.delayed, ...dueMark(known, job) }
          : { attempt: 0, rank: RANK.waiting },
        delayed ? 'delayed' : 'waiting',
      ),
    );
  } else if (!ranBefore && !known) {
    out.push(lifecycle(job, { attempt: job.attempt, rank: RANK.waitingAgain }, 'waiting'));
  }
  const news = out.filter(
    ({ fence }) =>
      fence.rank === undefined ||
      fence.reopens !== undefined ||
      isNews(known, fence) ||
      (moved && fence.mark !== undefined),
  );
  // What else is told may be of a new attempt, which knows nothing of the queue.
  if (job.paused && (!known?.paused || news.length > 0)) news.push(queueState(job, job.attempt, true));
  return news;
}

/** What was told, with what is about to be told of its run. */
function accountedFor(told: Told, after: Transition | undefined): Told {
  const { event } = after?.event ?? {};
  return {
    ...told,
    failures: told.failures + (event === 'retrying' ? 1 : 0),
    stalls: told.stalls + (event === 'stalled' ? 1 : 0),
  };
}

/** What became of the run that was told to be active. */
function afterRun(told: Told, job: JobSnapshot): Transition | undefined {
  const { attempt } = told;
  const stalled = job.stalls > told.stalls;
  // BullMQ counts the run that ended a job too.
  const failed = job.failures - (isFinished(job) ? 1 : 0) > told.failures;
  if (stalled) return lifecycle(job, { attempt, rank: RANK.stalled }, 'stalled');
  if (isFinished(job) && !ranUntold(told, job)) return undefined;
  // When it is due says something of its last run only.
  const due = job.attempt === attempt ? dueMark(told, job) : {};
  if (failed) return lifecycle(job, { attempt, rank: RANK.retrying, ...due }, 'retrying');
  // By a worker that put it off.
  if (job.state === 'delayed' && job.attempt === attempt) {
    return lifecycle(job, { attempt, rank: RANK.delayed, ...due }, 'delayed');
  }
  return lifecycle(job, { attempt, rank: RANK.waitingAgain }, 'waiting');
}

/** It was taken out of its queue, where it waits for nothing any more, by somebody who is about to end it. */
const isBeingWithdrawn = (told: Told, job: JobSnapshot): boolean =>
  job.state === 'active' && job.attempt === told.attempt && told.rank !== RANK.active;

const isReopened = (known: Told | undefined): boolean =>
  known !== undefined && known.end === undefined && known.rank >= RANK.reopened;

/** The rank of an end: beyond the reopening, when it was reopened and has not run since. */
const endRank = (known: Told | undefined, attempt: number): number =>
  isReopened(known) && known!.attempt === attempt ? known!.rank + 1 : RANK.ended;
/** It was told to be delayed, and another time holds now. */
function isMoved(told: Told | undefined, job: JobSnapshot): boolean {
  return (
    told?.due !== undefined &&
    told.attempt === job.attempt &&
    (told.rank === RANK.delayed || told.rank === RANK.retrying) &&
    job.state === 'delayed' &&
    Math.abs(told.due - job.dueAt!) > MOVED_MS
  );
}

/** It was told to begin again later, and waits already, for whoever is free. */
function isBroughtForward(told: Told | undefined, job: JobSnapshot): boolean {
  if (told?.attempt !== job.attempt || (job.state !== 'waiting' && job.state !== 'prioritized')) return false;
  if (told.rank === RANK.delayed) return job.attempt > 0;
  return told.rank === RANK.retrying && told.due !== undefined && told.due - Date.now() > MOVED_MS;
}

/** A run began and ended before anybody told of it: its worker knows nothing of us. */
function ranUntold(told: Told | undefined, job: JobSnapshot): boolean {
  const run = job.state === 'completed' || (job.state === 'failed' && job.errorCode === undefined);
  return run && job.attempt > (told?.attempt ?? 0);
}

/** Makes an event that says when the job is due one that is told once for each time. */
function dueMark(told: Told | undefined, { dueAt }: Pick<JobSnapshot, 'dueAt'>): { mark?: Mark } {
  if (dueAt === undefined || dueAt === told?.due) return {};
  return { mark: { field: 'due', from: told?.due ?? '', to: dueAt } };
}

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
        ...details(event as LifecycleEvent, job, position.attempt),
      },
      ...(ends ? { end: true } : {}),
    },
    fence: { ...position, failures: job.failures, stalls: job.stalls },
  };
}

function details(event: LifecycleEvent, job: JobSnapshot, attempt: number): Record<string, unknown> {
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
        ...(job.dueAt && attempt === job.attempt ? { nextAttemptAt: job.dueAt } : {}),
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
  return lifecycle(snapshot, { attempt: 0, rank: RANK[state], ...dueMark(undefined, job) }, state);
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
