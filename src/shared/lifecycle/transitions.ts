import type { TerminalState } from '../jobs/states.js';
import { serverNow } from '../redis/server-clock.js';
import { dueGuard, lifecycleTransition, queueState, type Transition } from './events.js';
import { endRank, isReopened, type PublishedState, type QueueFacts, queueGuard, RANK } from './published.js';
import { isFinished, type JobSnapshot } from './snapshot.js';

/** A job that is due this much sooner or later than was told has been moved, in ms. */
const MOVED_MS = 1000;

/**
 * What has to be told so that a channel agrees with the job. It looks at states, not at messages, so it does
 * not matter which message was lost with which process.
 * @param published read before `job` was, so that a job found unfinished after its end was told really runs again
 */
export function transitions(published: PublishedState | undefined, job: JobSnapshot): Transition[] {
  const reopening = reopens(published, job);
  const known = reopening ? reopened(job, reopening) : published;
  const out = [
    ...(reopening ? [reopening] : []),
    ...queueGoesOn(known, job),
    ...pastRuns(known, job),
    ...otherTime(known, job),
    ...present(known, job),
  ];
  const news = out.filter((transition) => isNews(known, transition));
  // An end that was told is taken back by the first event after it, and by nobody who does not know of it.
  const [first] = news;
  if (published?.end !== undefined && first) {
    news[0] = { ...first, fence: { ...first.fence, reopens: published.end } };
  }
  const queue = waitsFor(job, known);
  if (queue) {
    // Where an attempt begins, or an end is taken back, nothing is known of the queue.
    const fresh = news.some(
      ({ fence }) => fence.reopens !== undefined || fence.attempt > (known?.attempt ?? -1),
    );
    const last = news.findLast(({ event }) => event.event === 'queue');
    const from = fresh || !known ? NOTHING : last ? { ...factsOf(known), paused: false } : factsOf(known);
    if (queueGuard(from) !== queueGuard(queue)) news.push(queueState(job, job.attempt, from, queue));
  }
  return news;
}

const NOTHING: QueueFacts = { paused: false, noWorker: false, cancelling: false };
const factsOf = ({
  paused = false,
  noWorker = false,
  cancelling = false,
}: Partial<QueueFacts>): QueueFacts => ({ paused, noWorker, cancelling });

/**
 * What a job waits for in its queue, or that it was asked to stop; `undefined` for one that waits for nothing. A process
 * that does not count workers leaves that as it was.
 */
function waitsFor(job: JobSnapshot, known: PublishedState | undefined): QueueFacts | undefined {
  const cancelling = job.cancelAsked ?? false;
  if (isFinished(job)) return undefined;
  if (job.state === 'active') {
    return cancelling && known && !isBeingCancelled(known, job) ? factsOf({ cancelling }) : undefined;
  }
  const noWorker = job.noWorker ?? known?.noWorker ?? false;
  return factsOf({ paused: job.paused ?? false, noWorker, cancelling });
}

/** A job whose end was told waits or runs again. */
function reopens(published: PublishedState | undefined, job: JobSnapshot): Transition | undefined {
  if (published?.end === undefined || isFinished(job)) return undefined;
  const attempt = job.state === 'active' ? job.attempt - 1 : job.attempt;
  const rank = attempt === published.attempt ? published.rank + 1 : RANK.reopened;
  return lifecycleTransition(job, { attempt, rank, reopens: published.end }, 'waiting');
}

/** What is told of a job by the event that takes back its end. */
function reopened({ failures, stalls }: JobSnapshot, { fence }: Transition): PublishedState {
  return { attempt: fence.attempt, rank: fence.rank!, failures, stalls, end: undefined };
}

/** The queue was told to be paused, and the job does not wait for it any more. */
function queueGoesOn(known: PublishedState | undefined, job: JobSnapshot): Transition[] {
  if (!known?.paused || job.paused || isFinished(job) || isBeingCancelled(known, job)) return [];
  return [queueState(job, known.attempt, factsOf(known), { ...factsOf(known), paused: false })];
}

/** It was taken out of its queue, where it waits for nothing any more, by somebody who is about to end it. */
const isBeingCancelled = (published: PublishedState, job: JobSnapshot): boolean =>
  job.state === 'active' && job.attempt === published.attempt && published.rank !== RANK.active;

/** What became of the run that was told to be active, and of one that began and is over before anybody told of it. */
function pastRuns(known: PublishedState | undefined, job: JobSnapshot): Transition[] {
  if (!known) return [];
  const finished = isFinished(job);
  const out: Transition[] = [];
  const over = job.attempt > known.attempt || (job.state !== 'active' && !finished);
  const after = hasRun(known) && over ? afterRun(known, job) : undefined;
  if (after) out.push(after);
  if (job.attempt > known.attempt && job.state !== 'active' && !finished) {
    out.push(lifecycleTransition(job, { attempt: job.attempt, rank: RANK.active }, 'active'));
    out.push(afterRun({ ...accountedFor(known, after), attempt: job.attempt }, job)!);
  }
  return out;
}

/** The last thing told is that a run has begun. */
const hasRun = (known: PublishedState): boolean => known.attempt > 0 && known.rank === RANK.active;

/** What was told, with what is about to be told of its run. */
function accountedFor(published: PublishedState, after: Transition | undefined): PublishedState {
  const { event } = after?.event ?? {};
  return {
    ...published,
    failures: published.failures + (event === 'retrying' ? 1 : 0),
    stalls: published.stalls + (event === 'stalled' ? 1 : 0),
  };
}

/** What became of a run; `undefined` where the end of the job says that. */
function afterRun(published: PublishedState, job: JobSnapshot): Transition | undefined {
  const { attempt } = published;
  const stalled = job.stalls > published.stalls;
  // BullMQ counts the run that ended a job too.
  const failed = job.failures - (isFinished(job) ? 1 : 0) > published.failures;
  if (stalled) return lifecycleTransition(job, { attempt, rank: RANK.stalled }, 'stalled');
  if (isFinished(job) && !hasUnpublishedRun(published, job)) return undefined;
  // When it is due says something of its last run only.
  const due = job.attempt === attempt ? dueGuard(published, job) : {};
  if (failed) return lifecycleTransition(job, { attempt, rank: RANK.retrying, ...due }, 'retrying');
  // By a worker that put it off.
  if (job.state === 'delayed' && job.attempt === attempt) {
    return lifecycleTransition(job, { attempt, rank: RANK.delayed, ...due }, 'delayed');
  }
  return lifecycleTransition(job, { attempt, rank: RANK.waitingAgain }, 'waiting');
}

/** A job that has run and is to run again later: it was put off again, or brought forward. */
function otherTime(known: PublishedState | undefined, job: JobSnapshot): Transition[] {
  if (!known || job.attempt === 0) return [];
  const { attempt } = job;
  if (isMoved(known, job))
    return [
      lifecycleTransition(
        job,
        { attempt, rank: known.rank, ...dueGuard(known, job), again: true },
        'delayed',
      ),
    ];
  if (isBroughtForward(known, job))
    return [lifecycleTransition(job, { attempt, rank: RANK.waitingAgain }, 'waiting')];
  return [];
}

/** It was told to be delayed, and another time holds now. */
function isMoved(published: PublishedState | undefined, job: JobSnapshot): boolean {
  return (
    published?.due !== undefined &&
    published.attempt === job.attempt &&
    (published.rank === RANK.delayed || published.rank === RANK.retrying) &&
    job.state === 'delayed' &&
    Math.abs(published.due - job.dueAt!) > MOVED_MS
  );
}

/** It was told to begin again later, and waits already, for whoever is free. */
function isBroughtForward(published: PublishedState, job: JobSnapshot): boolean {
  if (published.attempt !== job.attempt || (job.state !== 'waiting' && job.state !== 'prioritized'))
    return false;
  if (published.rank === RANK.delayed) return true;
  return (
    published.rank === RANK.retrying && published.due !== undefined && published.due - serverNow() > MOVED_MS
  );
}

/** The state that the job is in now. */
function present(known: PublishedState | undefined, job: JobSnapshot): Transition[] {
  const { attempt } = job;
  const active = lifecycleTransition(job, { attempt, rank: RANK.active }, 'active');
  if (isFinished(job)) {
    const end = lifecycleTransition(
      job,
      { attempt, rank: endRank(known, attempt) },
      job.state as TerminalState,
    );
    return hasUnpublishedRun(known, job) ? [active, end] : [end];
  }
  if (job.state === 'active') return [active];
  if (attempt === 0 && !isReopened(known)) {
    if (job.state !== 'delayed')
      return [lifecycleTransition(job, { attempt, rank: RANK.waiting }, 'waiting')];
    const again = isMoved(known, job) ? { again: true } : {};
    return [
      lifecycleTransition(job, { attempt, rank: RANK.delayed, ...dueGuard(known, job), ...again }, 'delayed'),
    ];
  }
  return known ? [] : [lifecycleTransition(job, { attempt, rank: RANK.waitingAgain }, 'waiting')];
}

/** A run began and ended before anybody told of it: its worker knows nothing of us. */
function hasUnpublishedRun(published: PublishedState | undefined, job: JobSnapshot): boolean {
  const run = job.state === 'completed' || (job.state === 'failed' && job.errorCode === undefined);
  return run && job.attempt > (published?.attempt ?? 0);
}

/** Whether an event is beyond what was told; those that have a fence of another kind always are. */
function isNews(known: PublishedState | undefined, { fence }: Transition): boolean {
  const { attempt, rank, reopens, again = false } = fence;
  if (rank === undefined || reopens !== undefined || !known || attempt > known.attempt) return true;
  return (attempt === known.attempt && rank > known.rank) || again;
}
