import type { RepeatOptions } from 'bullmq';
import { CronExpressionParser } from 'cron-parser';
import { clockChange, offsetAt } from './time-zone.js';

/** Longer than the shift of any clock change. Moving across the date line skips a day. */
const CHANGE_MS = 30 * 3_600_000;

/**
 * Returns the first time at or after `from` (ms since 1970) at which a cron expression is due in a time zone; `undefined` if it
 * is never due.
 *
 * The expression is matched against the local time of the zone:
 * - A local time that a clock change skips is shifted by the length of the change: 02:30 becomes 03:30 if the clock moves
 *   forward by an hour, 02:15 becomes 02:45 if it moves forward by half an hour.
 * - A local time that occurs twice counts the first time.
 * - An expression for every hour (`*` for the hour) is due whenever the clock shows a matching time: twice if the time occurs
 *   twice, and not at all if it is skipped.
 */
export function cronDue(expression: string, timeZone: string, from: number): number | undefined {
  const everyHour = isEveryHour(expression);
  for (let start = from; ; ) {
    const due = dueInPeriod(expression, timeZone, start, everyHour);
    if (due === undefined) return undefined;
    const end = clockChange(timeZone, start, Math.min(due, start + CHANGE_MS));
    if (end !== undefined) start = end;
    else if (due - start <= CHANGE_MS) return due;
    // No local time in between matches, whatever clock changes there are.
    else start = Math.max(start, due - 2 * CHANGE_MS) + CHANGE_MS;
  }
}

/**
 * Returns the due time of the next run for BullMQ's job scheduler. Replaces BullMQ's own strategy, which skips runs at clock
 * changes. Queues and workers both need it, because the worker that takes a run creates the next one.
 * @param millis the run is due after this time
 */
export function repeatStrategy(
  millis: number,
  { pattern, tz, startDate }: RepeatOptions,
): number | undefined {
  if (pattern === undefined) return undefined;
  const start = startDate === undefined ? 0 : new Date(startDate).getTime();
  return cronDue(pattern, tz ?? 'UTC', Math.max(millis, start) + 1);
}

/** Returns the same as `cronDue`, but assumes no clock change after `from`. */
function dueInPeriod(
  expression: string,
  timeZone: string,
  from: number,
  everyHour: boolean,
): number | undefined {
  const offset = offsetAt(timeZone, from);
  const change = everyHour ? undefined : clockChange(timeZone, from - CHANGE_MS, from);
  const before = change === undefined ? offset : offsetAt(timeZone, change - 1);
  // Earlier local times already occurred before the clock was set back.
  const firstReading = change === undefined ? from + offset : Math.max(from + offset, change + before);
  const reading = nextReading(expression, firstReading);
  if (reading === undefined) return undefined;
  if (change === undefined || before >= offset) return reading - offset;
  const skipped = nextReading(expression, from + before);
  return skipped !== undefined && skipped < change + offset
    ? Math.min(skipped - before, reading - offset)
    : reading - offset;
}

/** Returns the first local time at or after `from` that an expression matches. Both are written as if they were UTC. */
function nextReading(expression: string, from: number): number | undefined {
  // UTC, because cron-parser has different rules for clock changes.
  const dates = CronExpressionParser.parse(expression, { currentDate: new Date(from - 1), tz: 'UTC' });
  try {
    return dates.next().getTime();
  } catch {
    // There is no such day, or none within the years that cron-parser searches.
    return undefined;
  }
}

const hourOf = (expression: string): string => expression.split(' ').at(-4) ?? '';

/** Whether an expression matches every hour. */
const isEveryHour = (expression: string): boolean => /^([*?]|0-23)(\/1)?$/.test(hourOf(expression));

/** A field of a cron expression. `size` is the number of its values, `names` are alternatives to numbers. */
interface Field {
  name: string;
  size: number;
  names?: string;
  /** Matches the further forms of a value, such as `L`. */
  special?: RegExp;
}

const FIELDS: Field[] = [
  { name: 'second', size: 60 },
  { name: 'minute', size: 60 },
  { name: 'hour', size: 24 },
  { name: 'day of month', size: 31, special: /^L$/ },
  { name: 'month', size: 12, names: 'jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec' },
  {
    name: 'day of week',
    size: 7,
    names: 'sun|mon|tue|wed|thu|fri|sat',
    special: /^([0-7]|sun|mon|tue|wed|thu|fri|sat)(L|#[1-5])$/i,
  },
];

/**
 * Returns the error in an expression; `undefined` if it is valid. cron-parser also accepts meaningless expressions (`*-5`,
 * `5-10-15`), and treats a step that is too large (every 90 minutes) as the whole range (every hour).
 */
export function cronError(expression: string): string | undefined {
  const texts = expression.split(' ');
  if (texts.length !== 5 && texts.length !== 6) {
    return 'must have 5 fields (minute, hour, day of month, month, day of week), or 6 with seconds first';
  }
  if (/(^|[ ,])H/i.test(expression)) return 'must not contain H, which stands for a random time';
  const fields = FIELDS.slice(-texts.length);
  for (const [i, field] of fields.entries()) {
    for (const part of (texts[i] ?? '').split(',')) {
      const detail = partError(field, part);
      if (detail) return `is not a cron expression: ${detail}`;
    }
  }
  try {
    CronExpressionParser.parse(expression, { tz: 'UTC' });
    return undefined;
  } catch (error) {
    const { message } = error as Error;
    if (/explicit day of month/.test(message)) return 'is never due: there is no such day';
    return `is not a cron expression: ${message}`;
  }
}

function partError({ name, size, names, special }: Field, part: string): string | undefined {
  if (special?.test(part)) return undefined;
  const value = names ? `(\\d{1,2}|${names})` : '(\\d{1,2})';
  const match = new RegExp(`^(?:[*?]|${value}(?:-${value})?)(?:/(\\d{1,4}))?$`, 'i').exec(part);
  if (!match) return `"${part}" is not a valid ${name}`;
  const [, first, last, step] = match;
  if (step === undefined) return undefined;
  const values = last === undefined ? size : Math.max(1, Number(last) - Number(first) + 1);
  if (Number(step) <= (Number.isNaN(values) ? size : values)) return undefined;
  const what = last === undefined ? `the ${name} has only ${size} values` : `the range has only ${values}`;
  return `the step of "${part}" is too large: ${what}. For an interval of another length use everyMs`;
}
