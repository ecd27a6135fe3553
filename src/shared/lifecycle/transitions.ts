import type { TerminalState } from '../jobs/states.js';
import { serverNow } from '../redis/server-clock.js';
import { dueGuard, lifecycleTransition, queueState, type Transition } from './events.js';
import { endRank, isReopened, type PublishedState, type QueueFacts, queueGuard, RANK } from './published.js';
import { isFinished, type JobSnapshot } from './snapshot.js';

/** Due times that differ by no more than this count as equal, in ms. */
const MOVED_MS = 1000;

/**
 * Returns the events that a job's channel is missing, in order. It compares states instead of following messages, so a
 * message that was lost with a process does not matter.
 * @param published must be read before `job`: then a job that has not ended although its end was published runs again
 */
export function transitions(published: PublishedState | undefined, job: JobSnapshot): Transition[] {
  const reopening = reopens(published, job);
  const known = reopening ? reopened(job, reopening) : published;
  const candidates = [
    ...(reopening ? [reopening] : []),
    ...queueResumed(known, job),
    ...pastRuns(known, job),
    ...rescheduled(known, job),
    ...currentState(known, job),
  ];
  const missing = candidates.filter((transition) => isMissing(known, transition));
  // The first event after a published end withdraws that end. The fence names the end, so a process that has not read it
  // cannot withdraw it.
  const [first] = missing;
  if (published?.end !== undefined && first) {
    missing[0] = { ...first, fence: { ...first.fence, reopens: published.end } };
  }
  const queue = waitsFor(job, known);
  if (queue) {
    // A new attempt and a withdrawn end both reset what the channel knows of the queue.
    const fresh = missing.some(
      ({ fence }) => fence.reopens !== undefined || fence.attempt > (known?.attempt ?? -1),
    );
    const last = missing.findLast(({ event }) => event.event === 'queue');
    const from = fresh || !known ? NOTHING : last ? { ...factsOf(known), paused: false } : factsOf(known);
    // A position is published by the process that knows it. Only a new fact replaces it.
    if (queueGuard({ ...from, place: 0 }) !== queueGuard(queue))
      missing.push(queueState(job, job.attempt, from, queue));
  }
  return missing;
}

const NOTHING: QueueFacts = { paused: false, noWorker: false, cancelling: false };
const factsOf = ({
  paused = false,
  noWorker = false,
  cancelling = false,
  place = 0,
}: Partial<QueueFacts>): QueueFacts => ({ paused, noWorker, cancelling, place });

/**
 * Returns what a job waits for in its queue, or that it was asked to stop; `undefined` when there is nothing to report. A
 * process without a worker census keeps the published `noWorker`.
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

/** Returns the event that withdraws a published end, for a job that waits or runs again. */
function reopens(published: PublishedState | undefined, job: JobSnapshot): Transition | undefined {
  if (published?.end === undefined || isFinished(job)) return undefined;
  const attempt = job.state === 'active' ? job.attempt - 1 : job.attempt;
  const rank = attempt === published.attempt ? published.rank + 1 : RANK.reopened;
  return lifecycleTransition(job, { attempt, rank, reopens: published.end }, 'waiting');
}

/** Returns the published state after the event that withdraws the end. */
function reopened({ failures, stalls }: JobSnapshot, { fence }: Transition): PublishedState {
  return { attempt: fence.attempt, rank: fence.rank ?? RANK.reopened, failures, stalls, end: undefined };
}

/** Returns the event that reports that a paused queue no longer holds up the job. */
function queueResumed(known: PublishedState | undefined, job: JobSnapshot): Transition[] {
  if (!known?.paused || job.paused || isFinished(job) || isBeingCancelled(known, job)) return [];
  return [queueState(job, known.attempt, factsOf(known), { ...factsOf(known), paused: false })];
}

/** Whether the job was taken out of its queue by a canceller that is about to fail it. Such a job waits for nothing. */
const isBeingCancelled = (published: PublishedState, job: JobSnapshot): boolean =>
  job.state === 'active' && job.attempt === published.attempt && published.rank !== RANK.active;

/** Returns the outcome of the run that was published as active, and of a run that started and ended unpublished. */
function pastRuns(known: PublishedState | undefined, job: JobSnapshot): Transition[] {
  if (!known) return [];
  const finished = isFinished(job);
  const past: Transition[] = [];
  // The end of a job that was cancelled says nothing of a worker that was lost before; other ends do.
  const lost = job.state === 'cancelled' && job.stalls > known.stalls;
  const over = job.attempt > known.attempt || (job.state !== 'active' && !finished) || lost;
  const after = hasRun(known) && over ? afterRun(known, job) : undefined;
  if (after) past.push(after);
  if (job.attempt > known.attempt && job.state !== 'active' && !finished) {
    past.push(lifecycleTransition(job, { attempt: job.attempt, rank: RANK.active }, 'active'));
    const last = afterRun({ ...accountedFor(known, after), attempt: job.attempt }, job);
    if (last) past.push(last);
  }
  return past;
}

/** Whether the newest published event is the start of a run. */
const hasRun = (known: PublishedState): boolean => known.attempt > 0 && known.rank === RANK.active;

/** Adds the outcome of a run, which is about to be published, to the published state. */
function accountedFor(published: PublishedState, after: Transition | undefined): PublishedState {
  const { event } = after?.event ?? {};
  return {
    ...published,
    failures: published.failures + (event === 'retrying' ? 1 : 0),
    stalls: published.stalls + (event === 'stalled' ? 1 : 0),
  };
}

/** Returns the outcome of a run; `undefined` when the job's terminal event reports it. */
function afterRun(published: PublishedState, job: JobSnapshot): Transition | undefined {
  const { attempt } = published;
  const stalled = job.stalls > published.stalls;
  // BullMQ's count includes the run that ended the job.
  const failed = job.failures - (isFinished(job) ? 1 : 0) > published.failures;
  if (stalled) return lifecycleTransition(job, { attempt, rank: RANK.stalled }, 'stalled');
  if (isFinished(job) && !hasUnpublishedRun(published, job)) return undefined;
  // The due time belongs to the newest run only.
  const due = job.attempt === attempt ? dueGuard(published, job) : {};
  if (failed) return lifecycleTransition(job, { attempt, rank: RANK.retrying, ...due }, 'retrying');
  // The worker itself delayed the job.
  if (job.state === 'delayed' && job.attempt === attempt) {
    return lifecycleTransition(job, { attempt, rank: RANK.delayed, ...due }, 'delayed');
  }
  return lifecycleTransition(job, { attempt, rank: RANK.waitingAgain }, 'waiting');
}

/** Returns the event for a job that waits for its next run and was rescheduled: postponed, or brought forward. */
function rescheduled(known: PublishedState | undefined, job: JobSnapshot): Transition[] {
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

/** Whether the job was published as delayed and its due time has changed since. */
function isMoved(published: PublishedState | undefined, job: JobSnapshot): boolean {
  return (
    published?.due !== undefined &&
    published.attempt === job.attempt &&
    (published.rank === RANK.delayed || published.rank === RANK.retrying) &&
    job.state === 'delayed' &&
    job.dueAt !== undefined &&
    Math.abs(published.due - job.dueAt) > MOVED_MS
  );
}

/** Whether the job was published as due later but already waits for a worker. */
function isBroughtForward(published: PublishedState, job: JobSnapshot): boolean {
  if (published.attempt !== job.attempt || (job.state !== 'waiting' && job.state !== 'prioritized'))
    return false;
  if (published.rank === RANK.delayed) return true;
  return (
    published.rank === RANK.retrying && published.due !== undefined && published.due - serverNow() > MOVED_MS
  );
}

/** Returns the events for the state that the job is in now. */
function currentState(known: PublishedState | undefined, job: JobSnapshot): Transition[] {
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

/** Whether a run started and ended without being published, in a worker that knows only BullMQ. */
function hasUnpublishedRun(published: PublishedState | undefined, job: JobSnapshot): boolean {
  const isWithoutRun = job.errorCode === 'expired' || job.errorCode === 'stalled';
  const run = job.state === 'completed' || (job.state === 'failed' && !isWithoutRun);
  return run && job.attempt > (published?.attempt ?? 0);
}

/** Whether an event comes after the published state. Events without a rank are always missing: their guard decides. */
function isMissing(known: PublishedState | undefined, { fence }: Transition): boolean {
  const { attempt, rank, reopens, again = false } = fence;
  if (rank === undefined || reopens !== undefined || !known || attempt > known.attempt) return true;
  return (attempt === known.attempt && rank > known.rank) || again;
}
