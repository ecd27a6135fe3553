import type { TerminalState } from '../jobs/states.js';
import { type Histogram, quantile } from './histogram.js';

export const MINUTE_MS = 60_000;
/** The number of minutes that the dashboard shows, including the current one. */
export const MINUTES_SHOWN = 60;
/** The number of minutes in an hour of the history. */
export const HOUR_MINUTES = 60;

/** Returns the minute of a time, in minutes since 1970. */
export const minuteOf = (at: number): number => Math.floor(at / MINUTE_MS);

/** The names of counters for a kind of job: for a terminal state, and for a bucket of its wait and run times. */
export const counters = {
  outcome: (state: TerminalState, kind: string): string => `${state}:${kind}`,
  wait: (bucket: number, kind: string): string => `wait${bucket}:${kind}`,
  run: (bucket: number, kind: string): string => `run${bucket}:${kind}`,
};

/** The jobs that ended in one minute, for the charts. `wait` and `run` are quantiles in ms; `null` without jobs. */
export interface MinuteView {
  /** Minutes since 1970. */
  minute: number;
  completed: number;
  failed: number;
  cancelled: number;
  wait: [p50: number, p95: number] | null;
  run: [p50: number, p95: number] | null;
}

/** Converts the counters of one minute. @param names the kinds of job to include; empty for all */
export function minuteView(
  minute: number,
  counted: Record<string, string>,
  names: readonly string[] = [],
): MinuteView {
  const sums = { completed: 0, failed: 0, cancelled: 0 };
  const wait: Histogram = new Map();
  const run: Histogram = new Map();
  for (const [counter, text] of Object.entries(counted)) {
    const colon = counter.indexOf(':');
    if (names.length > 0 && !names.includes(counter.slice(colon + 1))) continue;
    const what = counter.slice(0, colon);
    if (what in sums) sums[what as TerminalState] += Number(text);
    else if (what.startsWith('wait')) add(wait, Number(what.slice(4)), Number(text));
    else if (what.startsWith('run')) add(run, Number(what.slice(3)), Number(text));
  }
  return { minute, ...sums, wait: shares(wait), run: shares(run) };
}

/** Returns the kinds of job in the counters of a minute. */
export const namesIn = (counted: Record<string, string>): string[] => [
  ...new Set(Object.keys(counted).map((counter) => counter.slice(counter.indexOf(':') + 1))),
];

function add(histogram: Histogram, bucket: number, count: number): void {
  histogram.set(bucket, (histogram.get(bucket) ?? 0) + count);
}

function shares(histogram: Histogram): [number, number] | null {
  const p50 = quantile(histogram, 0.5);
  const p95 = quantile(histogram, 0.95);
  return p50 === undefined || p95 === undefined ? null : [Math.round(p50), Math.round(p95)];
}
