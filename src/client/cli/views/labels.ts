import type { JobEvent } from '../../types.js';
import { isPlanned } from '../../view.js';
import type { Paint } from '../terminal/colour.js';
import { safeJson, safeLine, safeLines } from '../terminal/text.js';
import { span } from '../terminal/units.js';

const attemptLabel = (attempt: number, attempts: number): string =>
  isPlanned(attempt, attempts) ? `Attempt ${attempt} of ${attempts}` : `Attempt ${attempt}`;

/** The permanent lines for an event. Progress, and states that the bar shows, have none. */
export function eventLines(event: JobEvent, paint: Paint): string[] {
  switch (event.event) {
    case 'log':
      return logLines(event.data, paint);
    case 'active':
      return event.data.attempt > 1 ? [attemptLabel(event.data.attempt, event.data.attempts)] : [];
    case 'retrying': {
      const { attempt, attempts, error, nextAttemptAt, at } = event.data;
      const next = nextAttemptAt ? ` (retrying in ${span(nextAttemptAt - at)})` : '';
      return [
        paint('yellow', `${attemptLabel(attempt, attempts)} failed: ${safeLine(error.message)}${next}`),
      ];
    }
    case 'stalled':
      return [paint('yellow', 'Worker lost. Restarting on another')];
    case 'child': {
      const { childName, childId, state, error } = event.data;
      return [paint('yellow', safeLine(`Child ${childName} ${childId} ${state}: ${error.message}`))];
    }
    case 'completed':
      return [paint('green', 'Completed')];
    case 'failed': {
      const { message, code } = event.data.error;
      const [first = '', ...others] = safeLines(message);
      return [paint('red', `Failed: ${first}${code ? ` (${safeLine(code)})` : ''}`), ...others];
    }
    case 'cancelled':
      return [paint('yellow', event.data.reason === 'removed' ? 'Removed from its queue' : 'Cancelled')];
    case 'waiting':
    case 'delayed':
    case 'progress':
    case 'queue':
    case 'partial':
    case 'reset':
      return [];
    default:
      return [paint('dim', customEventLine(event))];
  }
}

const LEVELS = { debug: 'dim', info: undefined, warn: 'yellow', error: 'red' } as const;

/** The lines of a log entry, with its fields, and its level unless that is `info`. */
export function logLines(
  { level, message, fields }: { level: string; message: string; fields?: Record<string, unknown> },
  paint: Paint,
): string[] {
  const style = LEVELS[level as keyof typeof LEVELS];
  const prefix = level === 'info' ? '' : `${safeLine(level)}: `;
  const lines = safeLines(prefix + message);
  const painted = style ? lines.map((line) => paint(style, line)) : lines;
  return fields && Object.keys(fields).length > 0
    ? [...painted.slice(0, -1), `${painted.at(-1)} ${paint('dim', safeJson(fields))}`]
    : painted;
}

/** The line for a custom event of the job. */
const customEventLine = (event: { event: string; data: unknown }): string =>
  `${safeLine(event.event)}: ${safeJson((event.data as { data?: unknown }).data)}`;

/** The state of a job that is waiting, or is running without progress; `undefined` for events without a state. */
export function stateLabel(event: JobEvent): string | undefined {
  switch (event.event) {
    case 'waiting':
      return 'waiting for a free worker';
    case 'delayed':
      return `delayed until ${new Date(event.data.until).toLocaleString('sv')}`;
    case 'queue':
      if (event.data.cancelling) return 'cancelling';
      if (event.data.noWorker) return 'waiting: no workers running for this kind of job';
      return event.data.paused ? 'waiting: the queue is paused' : 'waiting for a free worker';
    case 'active':
      return 'running';
    case 'retrying':
      return 'waiting for the next attempt';
    case 'stalled':
      return 'waiting for another worker';
    default:
      return undefined;
  }
}
