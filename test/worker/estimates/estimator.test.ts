import { describe, expect, it } from 'vitest';
import { MARKS, type PastRun, packRun, parseRun } from '../../../src/shared/estimates/past-runs.js';
import { Estimator } from '../../../src/worker/estimates/estimator.js';
import { createForecast } from '../../../src/worker/estimates/forecast.js';
import { RunRecord } from '../../../src/worker/estimates/run-record.js';

/** Returns what is kept of a run with a report every hundredth of its time. @param progress percent at a share of the time */
function runOf(ms: number, progress: (share: number) => number | null, total?: number): PastRun {
  const record = new RunRecord();
  for (let i = 0; i <= 100; i++) record.add(progress(i / 100), total, (i / 100) * ms);
  return record.end(ms);
}
const even = (share: number): number => 100 * share;
const quickening = (share: number): number => 100 * share ** 2;

describe('the remaining time of the first run of a kind', () => {
  it('is unknown before two reports, and then follows from its speed', () => {
    const estimator = new Estimator(createForecast([]));
    expect(estimator.left(1000)).toBeUndefined();
    estimator.add(0, undefined, 0);
    estimator.add(2, undefined, 1000);
    expect(estimator.left(1000)).toBeCloseTo(49_000);
    for (let second = 2; second <= 10; second++) estimator.add(2 * second, undefined, 1000 * second);
    expect(estimator.left(10_000)).toBeCloseTo(40_000);
    // It counts down between two reports, and is unknown once it has passed.
    expect(estimator.left(15_000)).toBeCloseTo(35_000);
    expect(estimator.left(51_000)).toBeUndefined();
    estimator.add(100, undefined, 51_500);
    expect(estimator.left(51_500)).toBe(0);
  });

  it('is unknown without a percentage', () => {
    const estimator = new Estimator(createForecast([]));
    for (let second = 0; second < 10; second++) estimator.add(null, undefined, 1000 * second);
    expect(estimator.left(9000)).toBeUndefined();
  });
});

describe('the remaining time of a later run', () => {
  const forecast = createForecast([10_000, 11_000, 10_500, 9500].map((ms) => runOf(ms, even)));

  it('is known before its first report, and while it reports no percentage', () => {
    const estimator = new Estimator(forecast);
    expect(estimator.left(0)).toBeCloseTo(10_000, -3);
    estimator.add(null, undefined, 4000);
    expect(estimator.left(4000)).toBeCloseTo(6000, -3);
    estimator.add(0, undefined, 4000);
    expect(estimator.left(4000)).toBeCloseTo(6000, -3);
    // Longer than all earlier runs: nothing is known any more.
    expect(estimator.left(12_000)).toBeUndefined();
  });

  it('is not told before its first report if earlier runs differ much, or are few', () => {
    const differing = [1000, 60_000, 4000, 300_000, 15_000].map((ms) => runOf(ms, even));
    expect(new Estimator(createForecast(differing)).left(0)).toBeUndefined();
    expect(new Estimator(createForecast(differing.slice(0, 2))).left(0)).toBeUndefined();
  });

  it('soon follows the run itself if it is much slower than the earlier ones', () => {
    const estimator = new Estimator(forecast);
    for (let percent = 1; percent <= 10; percent++) estimator.add(percent, undefined, 1000 * percent);
    expect(estimator.left(10_000)).toBeGreaterThan(75_000);
    expect(estimator.left(10_000)).toBeLessThanOrEqual(90_000);
  });

  it('is not moved by a single outlier among the earlier runs', () => {
    const runs = [10_000, 300_000, 11_000, 10_500, 9500].map((ms) => runOf(ms, even));
    expect(new Estimator(createForecast(runs)).left(0)).toBeGreaterThan(9000);
    expect(new Estimator(createForecast(runs)).left(0)).toBeLessThan(12_000);
  });

  it('grows with its size once it is known', () => {
    const runs = [100, 200, 400, 50].map((total) => runOf(1000 + 20 * total, even, total));
    const estimator = new Estimator(createForecast(runs));
    estimator.add(0, 1000, 0);
    expect(estimator.left(0)).toBeGreaterThan(15_000);
    expect(estimator.left(0)).toBeLessThan(25_000);
  });

  it('knows how the progress of the kind usually proceeds', () => {
    const runs = [10_000, 11_000, 10_500].map((ms) => runOf(ms, quickening));
    const estimator = new Estimator(createForecast(runs));
    // After half of its time, a quarter is done. Its speed alone says 30 s.
    for (let i = 1; i <= 50; i++) estimator.add(quickening(i / 100), undefined, 100 * i);
    expect(estimator.left(5000)).toBeGreaterThan(4500);
    expect(estimator.left(5000)).toBeLessThan(5500);
  });

  it('goes on after 100 %, if the kind still has something to do then', () => {
    const runs = [10_000, 11_000, 10_500].map((ms) => runOf(ms, (share) => Math.min(100, 125 * share)));
    const estimator = new Estimator(createForecast(runs));
    for (let i = 0; i <= 80; i++) estimator.add(1.25 * i, undefined, 100 * i);
    expect(estimator.left(8000)).toBeGreaterThan(1500);
    expect(estimator.left(8000)).toBeLessThan(2500);
  });
});

describe('what is kept of a run', () => {
  it('is small, and is the same after it was stored', () => {
    const run = runOf(123_456.7, quickening, 5000);
    const text = packRun(run);
    expect(text.length).toBeLessThan(100);
    const parsed = parseRun(text)!;
    expect(parsed).toMatchObject({ ms: 123_457, total: 5000 });
    for (const [i, mark] of parsed.marks.entries()) expect(mark).toBeCloseTo(run.marks[i]!, 2);
    expect(parsed.marks[1 + MARKS.indexOf(50)]).toBeCloseTo(Math.SQRT1_2, 1);
    expect(parseRun(packRun(runOf(1000, () => null)))).toEqual({ ms: 1000, marks: [] });
  });

  it.each([
    '',
    '{}',
    '[]',
    '[0,1]',
    '[1000,"a"]',
    '[1000,0,5]',
    `[1000,0,${MARKS.map(() => 9)},8]`,
    '[-1,0]',
  ])('is ignored if it is not from Headway: %s', (text) => expect(parseRun(text)).toBeUndefined());
});
