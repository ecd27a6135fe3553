import type { ChannelEvent, Fence, Guard } from '../channel/publisher.js';
import { isTerminal, type TerminalState } from '../jobs/states.js';
import { serverNow } from '../redis/server-clock.js';
import { endRank, type PublishedState, type QueueFacts, queueGuard, RANK } from './published.js';
import type { JobSnapshot } from './snapshot.js';

/** A lifecycle event with the fence that keeps it from being published twice. */
export interface Transition {
  event: ChannelEvent;
  fence: Fence;
}

export type LifecycleEvent = 'waiting' | 'delayed' | 'active' | 'stalled' | 'retrying' | TerminalState;

/** Creates the lifecycle event of a job at a position (attempt and rank). */
export function lifecycleTransition(job: JobSnapshot, position: Fence, event: LifecycleEvent): Transition {
  return {
    event: {
      event,
      data: {
        jobId: job.id,
        name: job.name,
        attempt: position.attempt,
        ...details(event, job, position.attempt),
      },
      ...(isTerminal(event) ? { end: true } : {}),
    },
    fence: { failures: job.failures, stalls: job.stalls, ...position },
  };
}

function details(event: LifecycleEvent, job: JobSnapshot, attempt: number): Record<string, unknown> {
  const at = serverNow();
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

/** Returns a job's error as clients see it. */
export const errorOf = ({ failedReason = 'unknown error', errorCode }: JobSnapshot) => ({
  message: failedReason,
  ...(errorCode ? { code: errorCode } : {}),
});

/** Returns the guard of an event with a due time: the event is published once for each due time. */
export function dueGuard(
  published: PublishedState | undefined,
  { dueAt }: Pick<JobSnapshot, 'dueAt'>,
): { guard?: Guard } {
  if (dueAt === undefined || dueAt === published?.due) return {};
  return { guard: { field: 'due', from: published?.due ?? '', to: dueAt } };
}

/** Creates the `queue` event, which says what holds up a job. It is a state event: only the newest one matters. */
export function queueState(
  { id }: Pick<JobSnapshot, 'id'>,
  attempt: number,
  from: QueueFacts,
  to: QueueFacts,
): Transition {
  const { paused, noWorker, cancelling } = to;
  const data = {
    jobId: id,
    attempt,
    paused,
    noWorker,
    ...(cancelling ? { cancelling } : {}),
    at: serverNow(),
  };
  return {
    event: { event: 'queue', kind: 'state', data },
    fence: { attempt, guard: { field: 'paused', from: queueGuard(from), to: queueGuard(to) } },
  };
}

/** Creates the first event of a job. It is published before the job is queued, so that it precedes `active`. */
export function accepted(job: { id: string; name: string; dueAt?: number }): Transition {
  const state = job.dueAt === undefined ? 'waiting' : 'delayed';
  // V8 copies an object faster behind other properties than in front of them.
  const snapshot = {
    state,
    attempt: 0,
    attempts: 1,
    failures: 0,
    stalls: 0,
    createdAt: 0,
    ...job,
  } as JobSnapshot;
  return lifecycleTransition(snapshot, { attempt: 0, rank: RANK[state], ...dueGuard(undefined, job) }, state);
}

/** Creates the terminal event of a job that was removed from BullMQ before its end was published. */
export function ended(
  published: PublishedState,
  jobId: string,
  name: string | undefined,
  how: { event: TerminalState; data: Record<string, unknown> },
): Transition {
  return {
    event: {
      event: how.event,
      data: { jobId, ...(name ? { name } : {}), attempt: published.attempt, ...how.data, at: serverNow() },
      end: true,
    },
    fence: {
      attempt: published.attempt,
      rank: endRank(published, published.attempt),
      failures: published.failures,
      stalls: published.stalls,
    },
  };
}
