import { CronExpressionParser } from 'cron-parser';
import { clockChange, offsetAt } from './time-zone.js';

/** Longer than any clock change moves a clock: a date line that is crossed leaves out a day. */
const CHANGE_MS = 30 * 3_600_000;

/**
 * When a cron expression is due in a time zone: the first time at or after `from` (ms since 1970), `undefined` when it never
 * is.
 *
 * The expression is matched against the readings of the zone's clock, and each reading is turned into a time:
 * - A reading that a clock change leaves out is made up for as much later as the clock is put forward: 02:30 becomes 03:30
 *   where it is put forward by an hour, 02:15 becomes 02:45 where it is put forward by half an hour.
 * - A reading that comes twice counts the first time.
 * - An expression for every hour (`*` for the hour) counts whenever the clock shows it: both times where a reading comes
 *   twice, and not at all where the change leaves it out.
 */
export function cronDue(expression: string, timeZone: string, from: number): number | undefined {
  const everyHour = isEveryHour(expression);
  for (let start = from; ; ) {
    const due = dueInPeriod(expression, timeZone, start, everyHour);
    if (due === undefined) return undefined;
    const end = clockChange(timeZone, start, Math.min(due, start + CHANGE_MS));
    if (end !== undefined) start = end;
    else if (due - start <= CHANGE_MS) return due;
    // No reading from here to there matches, whatever change lies between.
    else start = Math.max(start, due - 2 * CHANGE_MS) + CHANGE_MS;
  }
}

/** The same, as if the clock of the zone went on from `from` without a further change. */
function dueInPeriod(
  expression: string,
  timeZone: string,
  from: number,
  everyHour: boolean,
): number | undefined {
  const offset = offsetAt(timeZone, from);
  const change = everyHour ? undefined : clockChange(timeZone, from - CHANGE_MS, from);
  const before = change === undefined ? offset : offsetAt(timeZone, change - 1);
  // Readings before this one have been there before the clock was put back.
  const fresh = change === undefined ? from + offset : Math.max(from + offset, change + before);
  const reading = nextReading(expression, fresh);
  if (reading === undefined || before >= offset) return reading === undefined ? undefined : reading - offset;
  const leftOut = nextReading(expression, from + before)!;
  return leftOut < change! + offset ? Math.min(leftOut - before, reading - offset) : reading - offset;
}

/** The first reading of a clock, at or after another, that an expression matches; both as if they were ms in UTC. */
function nextReading(expression: string, from: number): number | undefined {
  // Without a zone there are no clock changes, of which cron-parser makes something else.
  const dates = CronExpressionParser.parse(expression, { currentDate: new Date(from - 1), tz: 'UTC' });
  try {
    return dates.next().getTime();
  } catch {
    // There is no such day, or not within the years that it looks at.
    return undefined;
  }
}

const hourOf = (expression: string): string => expression.split(' ').at(-4) ?? '';

/** Whether an expression says nothing of the hour. */
const isEveryHour = (expression: string): boolean => /^([*?]|0-23)(\/1)?$/.test(hourOf(expression));

/** A field of an expression: how many values it has, and what else there may be than numbers. */
interface Field {
  name: string;
  size: number;
  names?: string;
  /** Special forms of one value. */
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
 * What is wrong with an expression, `undefined` for a right one. cron-parser takes what has no meaning (`*-5`, `5-10-15`) for
 * something that nobody would guess, and a step that is too large (every 90 minutes) for the whole range (every hour).
 */
export function cronError(expression: string): string | undefined {
  const texts = expression.split(' ');
  if (texts.length !== 5 && texts.length !== 6) {
    return 'must have 5 fields (minute, hour, day of month, month, day of week), or 6 with seconds first';
  }
  if (/(^|[ ,])H/i.test(expression)) return 'must not have H: it stands for a random time';
  const fields = FIELDS.slice(-texts.length);
  for (const [i, text] of texts.entries()) {
    for (const part of text.split(',')) {
      const detail = partError(fields[i]!, part);
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
  if (!match) return `"${part}" is no value for the ${name}`;
  const [, first, last, step] = match;
  if (step === undefined) return undefined;
  const values = last === undefined ? size : Math.max(1, Number(last) - Number(first) + 1);
  if (Number(step) <= (Number.isNaN(values) ? size : values)) return undefined;
  const what = last === undefined ? `the ${name} has only ${size} values` : `the range has only ${values}`;
  return `the step of "${part}" is too large: ${what}. For an interval of another length use everyMs`;
}
