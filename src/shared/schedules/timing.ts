import { cronDue, cronError } from './cron.js';
import type { Timing } from './schedule.js';
import { isTimeZone } from './time-zone.js';

/** Shortest interval, in ms. */
export const MIN_EVERY_MS = 1000;

/** One thing wrong with when a schedule is due. */
export interface TimingError {
  field: 'cron' | 'everyMs' | 'timeZone' | 'endAt';
  detail: string;
}

/**
 * When a schedule is due next, later than `after` (both ms since 1970); `undefined` when it never is again. How cron goes with
 * changes of the clock: see {@link cronDue}.
 */
export function nextDue(timing: Timing, after: number): number | undefined {
  const due = timing.cron === undefined ? nextInterval(timing, after) : nextCron(timing, after);
  if (due === undefined || (timing.endAt !== undefined && due > Date.parse(timing.endAt))) return undefined;
  return due;
}

function nextInterval({ everyMs, firstAt }: Timing, after: number): number {
  const passed = Math.floor((after - firstAt) / everyMs!) + 1;
  return firstAt + Math.max(0, passed) * everyMs!;
}

function nextCron({ cron, timeZone = 'UTC', startAt }: Timing, after: number): number | undefined {
  // A time that is exactly `startAt` counts.
  const from = startAt === undefined ? after + 1 : Math.max(after + 1, Date.parse(startAt));
  return cronDue(cron!, timeZone, from);
}

/**
 * When the run is due that BullMQ is to be told of.
 * @param lastDue when the newest run that has begun was due
 */
export function upcoming(timing: Timing, lastDue: number | undefined, now: number): number | undefined {
  if (timing.everyMs === undefined) return nextDue(timing, now);
  const none = lastDue === undefined || lastDue < timing.firstAt;
  // The first of all may be a moment late, but it comes.
  return none ? nextDue(timing, timing.firstAt - 1) : nextDue(timing, now);
}

/** What is wrong with a timing, in the words of its caller. */
export function timingErrors(timing: Timing, now: number): TimingError[] {
  const { cron, everyMs, timeZone, startAt, endAt } = timing;
  if ((cron === undefined) === (everyMs === undefined)) {
    return [{ field: 'cron', detail: 'give either cron or everyMs' }];
  }
  const errors: TimingError[] = [];
  if (timeZone !== undefined && cron === undefined) {
    errors.push({ field: 'timeZone', detail: 'goes with cron only: an interval has none' });
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
    const detail = endAt ? 'is not due even once until endAt' : 'is never due: there is no such day';
    errors.push({ field: cron === undefined ? 'everyMs' : 'cron', detail });
  }
  return errors;
}
