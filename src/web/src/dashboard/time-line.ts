import { isTerminal } from '../../../client/topic.js';
import { when } from '../format';

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
      return moment(attempt > 0 ? 'Queued again' : 'Queued');
    case 'delayed':
      return moment(`Delayed; starts ${when(Number(data.until))}`);
    case 'active':
      return moment(`Attempt ${attempt} started`);
    case 'retrying':
      return moment(`Attempt ${attempt} failed: ${message}`);
    case 'stalled':
      return moment('Worker lost');
    case 'completed':
      return moment('Completed');
    case 'failed':
      return moment(`Failed: ${message}`);
    case 'cancelled':
      return moment('Cancelled');
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
      ? `Attempt ${attempt}`
      : event === 'retrying' || event === 'stalled'
        ? 'Between attempts'
        : 'Waited';
    spans.push({ kind: ran ? 'ran' : 'waited', from: at, ...(next ? { to: next.at } : {}), label });
  }
  return spans;
}
