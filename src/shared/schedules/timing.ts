import { getNextMillis } from 'bullmq';
import type { Timing } from './schedule.js';

/** Shortest interval, in ms. */
export const MIN_EVERY_MS = 1000;

/** One thing wrong with when a schedule is due. */
export interface TimingError {
  field: 'cron' | 'everyMs' | 'timeZone' | 'endAt';
  detail: string;
}

/**
 * When a schedule is due next, later than `after` (both ms since 1970); `undefined` when it never is again. Cron is
 * reckoned by BullMQ: a time that a clock change leaves out is made up for at the end of the gap's hour (02:30 becomes
 * 03:30), one that comes twice counts the first time, unless the hours are a `*`.
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
  const from = startAt === undefined ? after : Math.max(after, Date.parse(startAt) - 1);
  // Nothing where there is no such day, or not within the years that it looks at.
  return getNextMillis(from, { pattern: cron!, tz: timeZone });
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
  if (cron !== undefined) errors.push(...cronErrors(cron));
  if (endAt !== undefined && Date.parse(endAt) <= Math.max(now, startAt ? Date.parse(startAt) : now)) {
    errors.push({ field: 'endAt', detail: 'must be in the future, and after startAt' });
  }
  if (errors.length === 0 && upcoming(timing, undefined, now) === undefined) {
    const detail = endAt ? 'is not due even once until endAt' : 'is never due: there is no such day';
    errors.push({ field: cron === undefined ? 'everyMs' : 'cron', detail });
  }
  return errors;
}

function cronErrors(cron: string): TimingError[] {
  const wrong = (detail: string): TimingError[] => [{ field: 'cron', detail }];
  const fields = cron.split(' ').length;
  if (fields !== 5 && fields !== 6) {
    return wrong(
      'must have 5 fields (minute, hour, day of month, month, day of week), or 6 with seconds first',
    );
  }
  if (/(^|[ ,])H/i.test(cron)) return wrong('must not have H: it stands for a random time');
  try {
    getNextMillis(0, { pattern: cron, tz: 'UTC' });
    return [];
  } catch (error) {
    return wrong(`is not a cron expression: ${(error as Error).message}`);
  }
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    // An offset is not a zone: it knows no clock change, and BullMQ does not take it.
    return /^[A-Za-z]/.test(name);
  } catch {
    return false;
  }
}
