import { FADING, MARKS, type PastRun } from '../../shared/estimates/past-runs.js';

/** Sizes closer together than this (as logarithms) do not show how the time depends on the size. */
const MIN_SIZE_STEP = 0.1;
/** The range of the exponent with which the time grows with the size. */
const [LEAST_EXPONENT, MOST_EXPONENT] = [0, 1.5];
/** The spread of what a single run says. More runs divide it. */
const SINGLE_SPREAD = 0.5;
/** Runs of the same duration can differ this much from the next one. */
const MIN_SPREAD = 0.05;
/** Before a run has reported progress, nothing is said if its duration is less certain than this, or from fewer runs. */
const [MAX_SPREAD, MIN_RUNS] = [0.5, 3];
/** A median absolute deviation times this is a standard deviation. */
const MAD = 1.4826;
/** Added to shares before they are compared, because a share can be 0. */
const SHARE_STEP = 0.005;

/** A duration, and its spread: the standard deviation of its logarithm. */
export interface Expected {
  ms: number;
  spread: number;
}

/** What the earlier runs of a kind say about the next one. */
export interface Forecast {
  /** The duration of a run; `undefined` without earlier runs. @param total its size, if known */
  duration(total: number | undefined): Expected | undefined;
  /**
   * The remaining time of a run that has taken `ms` and has not reported progress; `undefined` if earlier runs differ too
   * much.
   */
  leftOfSilent(ms: number, total: number | undefined): number | undefined;
  /** The share of its time that a run has usually taken when it reaches a percentage, and the spread of that share. */
  usedAt(percent: number): { share: number; spread: number };
}

const START = { share: 0, spread: 0 };

/** A value with its weight. */
interface Weighted {
  value: number;
  weight: number;
}

/** @param runs the earlier runs of the kind, newest first */
export function createForecast(runs: readonly PastRun[]): Forecast {
  const weighted = runs.map((run, i) => ({ ...run, log: Math.log(run.ms), weight: FADING ** i }));
  const sized = weighted.flatMap(({ total, log, weight }) =>
    total ? [{ size: Math.log(total), log, weight }] : [],
  );
  let exponent: number | undefined;
  let pace: Array<{ share: number; spread: number }> | undefined;
  /** The duration of a run of unknown size: each run begins with it. */
  const duration = expectedOf(logsFor(undefined));

  /** The logarithms of the durations that a run of this size would have had. */
  function logsFor(total: number | undefined): Weighted[] {
    if (!total || sized.length === 0) return weighted.map(({ log, weight }) => ({ value: log, weight }));
    const size = Math.log(total);
    exponent ??= exponentOf(sized);
    const power = exponent;
    return sized.map((run) => ({
      value: run.log + power * (size - run.size),
      // Runs of about the same size say most.
      weight: run.weight * Math.exp(-Math.abs(size - run.size)),
    }));
  }

  return {
    duration: (total) => (total ? expectedOf(logsFor(total)) : duration),
    leftOfSilent(ms, total) {
      if (runs.length < MIN_RUNS) return undefined;
      const longer = logsFor(total).filter(({ value }) => Math.exp(value) > ms);
      const expected = longer.length < MIN_RUNS ? undefined : expectedOf(longer);
      return expected && expected.spread <= MAX_SPREAD ? expected.ms - ms : undefined;
    },
    usedAt(percent) {
      pace ??= paceOf(weighted.filter(({ marks }) => marks.length > 0));
      let next = 0;
      while ((MARKS[next] ?? 100) < percent) next++;
      const [low = START, high = START] = [pace[next], pace[next + 1]];
      const from = MARKS[next - 1] ?? 0;
      const part = (percent - from) / ((MARKS[next] ?? 100) - from);
      return {
        share: low.share + (high.share - low.share) * part,
        spread: low.spread + (high.spread - low.spread) * part,
      };
    },
  };
}

/** The usual share of the time when a run leaves 0 %, and when it reaches each of `MARKS`. */
function paceOf(
  runs: ReadonlyArray<{ marks: number[]; weight: number }>,
): Array<{ share: number; spread: number }> {
  return [0, ...MARKS].map((percent, i) => {
    // Without earlier runs, progress counts as even.
    if (runs.length === 0) return { share: percent / 100, spread: 0 };
    const shares = runs.map(({ marks, weight }) => ({ value: marks[i] ?? 1, weight }));
    const share = medianOf(shares);
    const logs = shares.map(({ value, weight }) => ({
      value: Math.log((value + SHARE_STEP) / (share + SHARE_STEP)),
      weight,
    }));
    return { share, spread: Math.hypot(SINGLE_SPREAD / runs.length, deviationOf(logs, 0)) };
  });
}

/** The exponent with which the time grows with the size: the median of the slopes between all pairs of runs (Theil-Sen). */
function exponentOf(sized: ReadonlyArray<{ size: number; log: number }>): number {
  const slopes = sized.flatMap((a, i) =>
    sized.slice(i + 1).flatMap((b) => {
      const step = a.size - b.size;
      return Math.abs(step) < MIN_SIZE_STEP
        ? []
        : [{ value: (a.log - b.log) / step, weight: Math.abs(step) }];
    }),
  );
  // Runs of one size say nothing about another. Most work grows with its size.
  if (slopes.length < MIN_RUNS) return 1;
  return Math.min(Math.max(medianOf(slopes), LEAST_EXPONENT), MOST_EXPONENT);
}

function expectedOf(logs: readonly Weighted[]): Expected | undefined {
  if (logs.length === 0) return undefined;
  const middle = medianOf(logs);
  const spread = Math.max(MIN_SPREAD, deviationOf(logs, middle));
  return { ms: Math.exp(middle), spread: Math.hypot(SINGLE_SPREAD / logs.length, spread) };
}

const deviationOf = (values: readonly Weighted[], middle: number): number =>
  MAD * medianOf(values.map(({ value, weight }) => ({ value: Math.abs(value - middle), weight })));

/** The weighted median: a few outliers do not move it. */
function medianOf(values: readonly Weighted[]): number {
  const sorted = [...values].sort((a, b) => a.value - b.value);
  let left = sorted.reduce((sum, { weight }) => sum + weight, 0) / 2;
  for (const { value, weight } of sorted) {
    left -= weight;
    if (left <= 0) return value;
  }
  return sorted.at(-1)?.value ?? 0;
}
