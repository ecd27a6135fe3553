/**
 * The growth of the buckets: each is a fifth wider than the one before, so a quantile is accurate to a tenth. Bucket 0 is for
 * less than a millisecond.
 */
const GROWTH = 1.2;
const LOG_GROWTH = Math.log(GROWTH);

/** Returns the bucket of a duration in ms. */
export const bucketOf = (ms: number): number =>
  ms < 1 ? 0 : 1 + Math.floor(Math.log(ms) / LOG_GROWTH + 1e-9);

/** Returns the middle of a bucket, in ms. */
const middleOf = (bucket: number): number => (bucket === 0 ? 0 : GROWTH ** (bucket - 0.5));

/** The number of durations by bucket. */
export type Histogram = Map<number, number>;

/**
 * Returns a quantile in ms; `undefined` for an empty histogram.
 * @param share 0.5 for the median
 */
export function quantile(histogram: Histogram, share: number): number | undefined {
  const buckets = [...histogram].filter(([, count]) => count > 0).sort(([a], [b]) => a - b);
  const total = buckets.reduce((sum, [, count]) => sum + count, 0);
  let left = Math.ceil(total * share);
  for (const [bucket, count] of buckets) {
    left -= count;
    if (left <= 0) return middleOf(bucket);
  }
  return undefined;
}
