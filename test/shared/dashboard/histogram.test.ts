import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bucketOf, type Histogram, quantile } from '../../../src/shared/dashboard/histogram.js';

function histogramOf(times: number[]): Histogram {
  const histogram: Histogram = new Map();
  for (const ms of times) histogram.set(bucketOf(ms), (histogram.get(bucketOf(ms)) ?? 0) + 1);
  return histogram;
}

describe('a histogram of times', () => {
  it('returns every quantile with an accuracy of a tenth', () => {
    const times = fc.array(fc.integer({ min: 1, max: 100_000_000 }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(times, fc.constantFrom(0.5, 0.95, 1), (sample, share) => {
        const exact = sample.toSorted((a, b) => a - b)[Math.ceil(sample.length * share) - 1]!;
        const read = quantile(histogramOf(sample), share)!;
        expect(Math.abs(read - exact) / exact).toBeLessThanOrEqual(0.1);
      }),
    );
  });

  it('has a bucket for zero, and no quantile when empty', () => {
    expect(quantile(histogramOf([0, 0.4, 5000]), 0.5)).toBe(0);
    expect(quantile(new Map(), 0.5)).toBeUndefined();
  });
});
