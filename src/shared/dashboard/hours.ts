import { type MinuteView, minuteView, namesIn } from './minutes.js';

export const HOUR_MS = 3_600_000;
/** The number of hours in the history: 30 days. */
export const HOURS_KEPT = 30 * 24;
/** Maximum number of kinds of job in an hour; the others are counted together. */
const MAX_KINDS = 40;
/** The kind for the jobs of all other kinds, as in the counters of minutes. */
const OTHERS = 'others';

/** Returns the hour of a time, in hours since 1970. */
export const hourOf = (at: number): number => Math.floor(at / HOUR_MS);

/** The jobs of one kind that ended in one hour. Times are in ms; `null` without jobs. */
export type HourCounts = [
  completed: number,
  failed: number,
  cancelled: number,
  waitP50: number | null,
  waitP95: number | null,
  runP50: number | null,
  runP95: number | null,
];

/** The jobs that ended in one hour, by kind. The kind `""` stands for all jobs; it is absent if none ended. */
export type HourEntry = Record<string, HourCounts>;

/** The answer of `GET /v1/dashboard/history`. */
export interface HistoryView {
  range: Range;
  /** When it was read, ms since 1970. */
  at: number;
  /** Each hour that was counted, in hours since 1970, oldest first. An absent hour was not counted. */
  hours: Array<[hour: number, ...HourCounts]>;
}

/** The ranges of the history, and their lengths in hours. */
export const RANGES = { '24h': 24, '7d': 7 * 24, '30d': HOURS_KEPT } as const;
export type Range = keyof typeof RANGES;

/** Returns the entry of an hour. @param minutes the counters of its minutes */
export function hourEntry(minutes: ReadonlyArray<Record<string, string>>): HourEntry {
  const counted = summed(minutes);
  const names = namesIn(counted);
  const views = names.map((name) => ({ name, view: minuteView(0, counted, [name]) }));
  views.sort((a, b) => endsOf(b.view) - endsOf(a.view));
  const shown = views.slice(0, MAX_KINDS);
  const rest = views.slice(MAX_KINDS).map(({ name }) => name);
  return {
    ...(names.length > 0 ? { '': countsOf(minuteView(0, counted)) } : {}),
    ...Object.fromEntries(shown.map(({ name, view }) => [name, countsOf(view)])),
    ...(rest.length > 0
      ? {
          [OTHERS]: countsOf(
            minuteView(0, counted, [...rest, ...(shown.some(({ name }) => name === OTHERS) ? [OTHERS] : [])]),
          ),
        }
      : {}),
  };
}

function summed(minutes: ReadonlyArray<Record<string, string>>): Record<string, string> {
  const sums = new Map<string, number>();
  for (const [counter, count] of minutes.flatMap((minute) => Object.entries(minute))) {
    sums.set(counter, (sums.get(counter) ?? 0) + (Number(count) || 0));
  }
  return Object.fromEntries(Array.from(sums, ([counter, sum]) => [counter, String(sum)]));
}

const endsOf = ({ completed, failed, cancelled }: MinuteView): number => completed + failed + cancelled;

const countsOf = ({ completed, failed, cancelled, wait, run }: MinuteView): HourCounts => [
  completed,
  failed,
  cancelled,
  ...(wait ?? ([null, null] as const)),
  ...(run ?? ([null, null] as const)),
];
