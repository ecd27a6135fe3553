import { cronDue, cronError } from './cron.js';
import type { Timing } from './schedule.js';
import { isTimeZone } from './time-zone.js';

/** The minimum interval, in ms. */
export const MIN_EVERY_MS = 1000;

/** An error in the timing of a schedule. */
export interface TimingError {
  field: 'cron' | 'everyMs' | 'timeZone' | 'endAt';
  detail: string;
}

/**
 * Returns the next due time of a schedule after `after` (both ms since 1970); `undefined` if there is none. For cron and
 * clock changes, see {@link cronDue}.
 */
export function nextDue(timing: Timing, after: number): number | undefined {
  const { cron, everyMs, firstAt } = timing;
  let due: number | undefined;
  if (cron !== undefined) due = nextCron(cron, timing, after);
  else if (everyMs !== undefined) due = nextInterval(everyMs, firstAt, after);
  if (due === undefined || (timing.endAt !== undefined && due > Date.parse(timing.endAt))) return undefined;
  return due;
}

/** Returns the first of the times `firstAt`, `firstAt + everyMs` and so on that is after `after` (all in ms). */
export function nextInterval(everyMs: number, firstAt: number, after: number): number {
  const passed = Math.floor((after - firstAt) / everyMs) + 1;
  return firstAt + Math.max(0, passed) * everyMs;
}

function nextCron(cron: string, { timeZone = 'UTC', startAt }: Timing, after: number): number | undefined {
  // `startAt` itself counts.
  const from = startAt === undefined ? after + 1 : Math.max(after + 1, Date.parse(startAt));
  return cronDue(cron, timeZone, from);
}

/**
 * Returns the due time of the next run to create in BullMQ.
 * @param lastDue the due time of the newest run that has started
 */
export function upcoming(timing: Timing, lastDue: number | undefined, now: number): number | undefined {
  if (timing.everyMs === undefined) return nextDue(timing, now);
  const none = lastDue === undefined || lastDue < timing.firstAt;
  // The first run may be slightly late, but it is never skipped.
  return none ? nextDue(timing, timing.firstAt - 1) : nextDue(timing, now);
}

/** Validates a timing. Each error names a field of the request. */
export function timingErrors(timing: Timing, now: number): TimingError[] {
  const { cron, everyMs, timeZone, startAt, endAt } = timing;
  if ((cron === undefined) === (everyMs === undefined)) {
    return [{ field: 'cron', detail: 'requires either cron or everyMs' }];
  }
  const errors: TimingError[] = [];
  if (timeZone !== undefined && cron === undefined) {
    errors.push({ field: 'timeZone', detail: 'is only valid with cron' });
  } else if (timeZone !== undefined && !isTimeZone(timeZone)) {
    const detail = 'is not a time zone: use a name of the IANA database, such as Europe/Berlin or UTC';
    errors.push({ field: 'timeZone', detail });
  }
  const wrong = cron === undefined ? undefined : cronError(cron);
  if (wrong) errors.push({ field: 'cron', detail: wrong });
  if (endAt !== undefined && Date.parse(endAt) <= Math.max(now, startAt ? Date.parse(startAt) : now)) {
    errors.push({ field: 'endAt', detail: 'must be in the future, and after startAt' });
  }
  if (errors.length === 0 && upcoming(timing, undefined, now) === undefined) {
    const detail = endAt ? 'is never due before endAt' : 'is never due: there is no such day';
    errors.push({ field: cron === undefined ? 'everyMs' : 'cron', detail });
  }
  return errors;
}
