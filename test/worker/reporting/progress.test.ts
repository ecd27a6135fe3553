import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createProgress } from '../../../src/worker/reporting/progress.js';
import { Rate } from '../../../src/worker/reporting/rate.js';

const numbers = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -1, 0, 1e308, 5e-324),
  fc.constantFrom<unknown>('7', null, {}, 10n, Symbol.iterator) as fc.Arbitrary<number>,
);
const updates = fc.oneof(
  numbers,
  fc.record(
    { current: numbers, total: numbers, percent: numbers, message: fc.string(), unit: fc.string() },
    { requiredKeys: [] },
  ),
);
const stages = { read: 1, write: 3, check: 0.5 };

describe('progress', () => {
  it('stays a number from 0 to 100 that never goes backwards, for any reports', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            { weight: 8, arbitrary: updates },
            {
              weight: 1,
              arbitrary: fc.record({ stage: fc.constantFrom('read', 'write', 'check', 'new', 'other') }),
            },
          ),
        ),
        fc.boolean(),
        (reports, staged) => {
          const progress = createProgress({ jobId: '1', attempt: 1, ...(staged ? { stages } : {}) });
          let last = 0;
          let now = 1000;
          for (const report of reports) {
            now += 60;
            if (report instanceof Object && 'stage' in report) {
              progress.stage(report.stage, now, 2);
            } else progress.update(report, now);
            const data = progress.snapshot(now);
            for (const value of Object.values(data)) {
              if (typeof value === 'number') expect(Number.isFinite(value)).toBe(true);
            }
            if (data.percent === null) continue;
            expect(data.percent).toBeGreaterThanOrEqual(last);
            expect(data.percent).toBeLessThanOrEqual(100);
            last = data.percent;
            if (data.total !== undefined && data.current !== undefined)
              expect(data.current).toBeLessThanOrEqual(data.total);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it('warns once for each kind of invalid number', () => {
    const progress = createProgress({ jobId: '1', attempt: 1 });
    expect(progress.update(Number.NaN, 1).warning).toMatch(
      /percent must be a finite number of 0 or more, not NaN/,
    );
    expect(progress.update(-5, 2).warning).toBeUndefined();
    expect(progress.update({ current: -1 }, 3).warning).toMatch(/current/);
    expect(progress.update(null as never, 4).warning).toMatch(/expected a number or an object/);
    expect(progress.snapshot(5).percent).toBeNull();
  });

  it('combines weighted stages into one percentage', () => {
    const progress = createProgress({ jobId: '1', attempt: 2, stages: { read: 1, write: 3 } });
    progress.stage('read', 0);
    progress.update({ current: 5, total: 10 }, 1);
    expect(progress.snapshot(1)).toMatchObject({
      percent: 12.5,
      stage: 'read',
      stageIndex: 1,
      stageCount: 2,
      attempt: 2,
    });
    progress.stage('write', 2);
    expect(progress.snapshot(2)).toMatchObject({ percent: 25, stage: 'write', stageIndex: 2 });
    expect(progress.snapshot(2)).not.toHaveProperty('current');
    progress.update({ current: 1, total: 2 }, 3);
    expect(progress.snapshot(3).percent).toBe(62.5);
  });

  it('adds an undeclared stage after the others without going backwards', () => {
    const progress = createProgress({ jobId: '1', attempt: 1, stages: { read: 1, write: 3 } });
    progress.stage('read', 0);
    progress.update(100, 1);
    progress.stage('check', 2, 6);
    expect(progress.snapshot(2)).toMatchObject({
      percent: 40,
      stage: 'check',
      stageIndex: 3,
      stageCount: 3,
    });
    progress.update(50, 3);
    expect(progress.snapshot(3).percent).toBe(70);
    progress.stage('write', 4);
    expect(progress.snapshot(4)).toMatchObject({ percent: 70, stage: 'write', stageIndex: 2, stageCount: 3 });
    progress.stage('tidy', 5);
    // The new stage increases the total, so the percentage stays until the progress catches up.
    expect(progress.snapshot(5)).toMatchObject({ percent: 90.91, stageIndex: 4, stageCount: 4 });
    progress.update(100, 6);
    expect(progress.snapshot(6).percent).toBe(100);
  });

  it.each([
    ['a weight of 0', 'x', 0, /weight of the stage "x" must be a positive number, not 0/],
    ['a weight that is a string', 'x', '2', /not 2/],
    ['an empty name', '', 1, /1 to 100 characters/],
  ])('rejects a stage with %s', (_what, name, weight, message) => {
    const progress = createProgress({ jobId: '1', attempt: 1 });
    expect(() => progress.stage(name, 1, weight as number)).toThrow(message);
    expect(progress.snapshot(1)).not.toHaveProperty('stage');
  });

  it('rejects the 1001st stage', () => {
    const progress = createProgress({ jobId: '1', attempt: 1 });
    for (let i = 0; i < 1000; i++) progress.stage(`s${i}`, i);
    expect(() => progress.stage('one more', 1001)).toThrow(/more than 1000 stages/);
    progress.stage('s0', 1002);
    expect(progress.snapshot(1002)).toMatchObject({ stageIndex: 1, stageCount: 1000 });
  });

  it('is indeterminate while a job reports counts without a total', () => {
    const progress = createProgress({ jobId: '1', attempt: 1 });
    progress.update({ current: 7, unit: 'rows' }, 1);
    expect(progress.snapshot(1)).toEqual({
      jobId: '1',
      attempt: 1,
      percent: null,
      current: 7,
      unit: 'rows',
      at: 1,
    });
  });

  it('is complete for 0 of 0', () => {
    const progress = createProgress({ jobId: '1', attempt: 1 });
    progress.update({ current: 0, total: 0 }, 1);
    expect(progress.snapshot(1).percent).toBe(100);
  });

  it('includes the rate once it is known', () => {
    const progress = createProgress({ jobId: '1', attempt: 1 });
    for (let second = 0; second <= 10; second++)
      progress.update({ current: second * 20, total: 1000 }, second * 1000);
    expect(progress.snapshot(10_000)).toMatchObject({ percent: 20, ratePerSecond: 20 });
  });
});

describe('the rate', () => {
  it('follows a change of speed within a few time constants', () => {
    const rate = new Rate();
    let value = 0;
    for (let at = 0; at <= 60_000; at += 100) {
      rate.add(value, at);
      value += at < 30_000 ? 10 : 1;
    }
    expect(rate.perSecond()).toBeGreaterThan(10);
    expect(rate.perSecond()).toBeLessThan(11);
  });

  it('does not depend on how often it is read', () => {
    const [often, seldom] = [new Rate(), new Rate()];
    for (let at = 0; at <= 20_000; at += 10) often.add(at / 2, at);
    for (let at = 0; at <= 20_000; at += 1000) seldom.add(at / 2, at);
    expect(often.perSecond()).toBeCloseTo(500);
    expect(seldom.perSecond()).toBeCloseTo(500);
  });

  it('is unknown after one sample, and after two that are too close together', () => {
    const rate = new Rate();
    rate.add(1, 0);
    rate.add(2, 1);
    expect(rate.perSecond()).toBeUndefined();
  });
});
