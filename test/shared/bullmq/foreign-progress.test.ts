import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { foreignProgress, isHeadwayProgress } from '../../../src/shared/bullmq/foreign-progress.js';
import { frameBody } from '../../../src/shared/channel/frame.js';

const origin = { jobId: 'steps..7', attempt: 2, at: 1000 };

describe('the progress of a worker that knows only BullMQ', () => {
  it.each<[string, unknown, Record<string, unknown>]>([
    ['a number', 42, { percent: 42 }],
    ['a number with a fraction', 33.33333, { percent: 33.33 }],
    ['a number over 100', 140, { percent: 100 }],
    ['a number below 0', -3, { percent: 0 }],
    ['a percent', { percent: 12.5 }, { percent: 12.5 }],
    ['a percent as text', { percent: '12.5 %' }, { percent: 12.5 }],
    ['a fraction', { progress: 0.4 }, { percent: 40 }],
    ['a percent named progress', { progress: 40 }, { percent: 40 }],
    ['counts', { current: 1, total: 8 }, { percent: 12.5, current: 1, total: 8 }],
    ['counts beyond their total', { current: 9, total: 8 }, { percent: 100, current: 9, total: 8 }],
    ['a total of 0', { current: 0, total: 0 }, { percent: 100, current: 0, total: 0 }],
    ['a count without a total', { current: 9 }, { percent: null, current: 9 }],
    [
      'known and unknown fields',
      { percent: 1, stage: 'read', stageIndex: 1, unit: 'rows', message: 'Go', jobId: 'x', colour: 'red' },
      { percent: 1, stage: 'read', stageIndex: 1, unit: 'rows', message: 'Go' },
    ],
    [
      'known fields with invalid values',
      { percent: {}, unit: 4, current: '1', total: -1, etaMs: Number.NaN, message: '' },
      { percent: null },
    ],
    ['text', 'reading', { percent: null, message: 'reading' }],
    ['a number as text', '42', { percent: 42 }],
    ['a list', [1, 2], { percent: null }],
    ['nothing', null, { percent: null }],
    ['yes', true, { percent: null }],
  ])('is understood: %s', (_what, value, expected) => {
    expect(foreignProgress(value, origin)).toEqual({ jobId: 'steps..7', attempt: 2, at: 1000, ...expected });
  });

  it.each<[unknown, Record<string, unknown>]>([
    [20, { percent: 50 }],
    [
      { current: 2, total: 10, message: 'again' },
      { percent: 50, message: 'again' },
    ],
    ['resting', { percent: 50, message: 'resting' }],
    [{ percent: 51 }, { percent: 51 }],
  ])('does not decrease: %j after 50', (value, expected) => {
    expect(foreignProgress(value, origin, 50)).toEqual({
      jobId: 'steps..7',
      attempt: 2,
      at: 1000,
      ...expected,
    });
  });

  it('is a valid frame of bounded size for any value', () => {
    fc.assert(
      fc.property(fc.anything(), fc.option(fc.double({ min: 0, max: 100, noNaN: true })), (value, before) => {
        const data = foreignProgress(value, origin, before);
        if (data.percent !== null) {
          expect(data.percent).toBeGreaterThanOrEqual(before ?? 0);
          expect(data.percent).toBeLessThanOrEqual(100);
        }
        const frame = frameBody({ event: 'progress', data });
        expect(frame.split('\n')).toHaveLength(4);
        expect(frame.length).toBeLessThan(12_000);
      }),
    );
  });

  it('is distinguished from that of our workers', () => {
    expect(isHeadwayProgress({ jobId: 'steps.1', attempt: 1, percent: 2 }, 'steps.1')).toBe(true);
    for (const value of [{ jobId: 'steps.2', attempt: 1 }, { jobId: 'steps.1' }, 'steps.1', null, 4]) {
      expect(isHeadwayProgress(value, 'steps.1')).toBe(false);
    }
  });
});
