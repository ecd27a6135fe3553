import { isTerminal } from '../../../client/topic.js';
import { when } from '../format';
import { fill, words } from '../words';

/** Something that happened to a job. */
export interface Moment {
  event: string;
  attempt: number;
  /** ms since 1970 */
  at: number;
  text: string;
}

/** The time between two moments of a job. */
export interface Span {
  kind: 'waited' | 'ran';
  from: number;
  /** Absent if the span has not ended. */
  to?: number;
  label: string;
}

/** Returns the moment of an event; `undefined` for events that do not change the state. */
export function momentOf(event: string, data: Record<string, unknown>): Moment | undefined {
  const attempt = Number(data.attempt ?? 0);
  const moment = (text: string): Moment => ({ event, attempt, at: Number(data.at), text });
  const message = (data.error as { message?: string } | undefined)?.message ?? '';
  switch (event) {
    case 'waiting':
      return moment(attempt > 0 ? words.timeline.queuedAgain : words.timeline.queued);
    case 'delayed':
      return moment(fill(words.timeline.delayed, { when: when(Number(data.until)) }));
    case 'active':
      return moment(fill(words.timeline.started, { attempt }));
    case 'retrying':
      return moment(fill(words.timeline.attemptFailed, { attempt, reason: message }));
    case 'stalled':
      return moment(words.timeline.workerLost);
    case 'completed':
      return moment(words.states.completed);
    case 'failed':
      return moment(fill(words.timeline.failed, { reason: message }));
    case 'cancelled':
      return moment(words.states.cancelled);
    default:
      return undefined;
  }
}

/** Returns the spans between moments, in order. */
export function spansOf(moments: Moment[]): Span[] {
  const spans: Span[] = [];
  for (const [i, { event, attempt, at }] of moments.entries()) {
    if (isTerminal(event)) continue;
    const next = moments[i + 1];
    const ran = event === 'active';
    const label = ran
      ? fill(words.timeline.attempt, { attempt })
      : event === 'retrying' || event === 'stalled'
        ? words.timeline.between
        : words.timeline.wait;
    spans.push({ kind: ran ? 'ran' : 'waited', from: at, ...(next ? { to: next.at } : {}), label });
  }
  return spans;
}
