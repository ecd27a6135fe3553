import { type HistoryView, RANGES } from '../../../shared/dashboard/hours.js';
import { MINUTES_SHOWN, type MinuteView } from '../../../shared/dashboard/minutes.js';
import { timeIn } from '../format';

/** The columns of a chart: times in seconds, then one column per line. */
export type Columns = [x: number[], ...lines: Array<Array<number | null>>];

/** Returns one column for each function in `pick`, over the last hour up to `at` (ms since 1970). Missing minutes are empty. */
export function columnsOf(
  minutes: Map<number, MinuteView>,
  at: number,
  pick: Array<(minute: MinuteView | undefined) => number | null>,
): Columns {
  const last = Math.floor(at / 60_000);
  const shown = Array.from({ length: MINUTES_SHOWN }, (_, i) => last - MINUTES_SHOWN + 1 + i);
  return [
    shown.map((minute) => minute * 60),
    ...pick.map((one) => shown.map((minute) => one(minutes.get(minute)))),
  ];
}

/** The entry of an hour: see {@link HistoryView}. */
type Hour = HistoryView['hours'][number];

/**
 * Returns one column for each function in `pick`, over the hours of a history. An hour that was not counted is empty in
 * all of them, which is a gap in the chart.
 */
export function historyColumns(
  { range, at, hours }: HistoryView,
  pick: Array<(hour: Hour) => number | null>,
): Columns {
  const last = Math.floor(at / 3_600_000);
  const shown = Array.from({ length: RANGES[range] }, (_, i) => last - RANGES[range] + 1 + i);
  const known = new Map(hours.map((hour) => [hour[0], hour]));
  const values = (one: (hour: Hour) => number | null): Array<number | null> =>
    shown.map((at) => {
      const hour = known.get(at);
      return hour ? one(hour) : null;
    });
  return [shown.map((hour) => hour * 3600), ...pick.map(values)];
}

/** Rounds to two digits. */
const short = (value: number): number => Number(value.toPrecision(2));

/** Formats a duration in ms, short enough for an axis. */
export function shortSpan(ms: number): string {
  // The axis of a chart of very short durations has a line at half a millisecond.
  if (ms < 10) return timeIn('millisecond', short(ms));
  if (ms < 999.5) return timeIn('millisecond', Math.round(ms));
  if (ms < 60_000) return timeIn('second', short(ms / 1000));
  if (ms < 3_600_000) return timeIn('minute', short(ms / 60_000));
  return timeIn('hour', short(ms / 3_600_000));
}
