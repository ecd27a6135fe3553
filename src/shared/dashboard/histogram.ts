/**
 * Times are counted in buckets, each a fifth wider than the one before: whatever is read from them is right to a tenth.
 * Bucket 0 is for less than a millisecond.
 */
const GROWTH = 1.2;
const LOG_GROWTH = Math.log(GROWTH);

/** The bucket of a time, in ms. */
export const bucketOf = (ms: number): number =>
  ms < 1 ? 0 : 1 + Math.floor(Math.log(ms) / LOG_GROWTH + 1e-9);

/** The time in the middle of a bucket, in ms. */
const middleOf = (bucket: number): number => (bucket === 0 ? 0 : GROWTH ** (bucket - 0.5));

/** Bucket -> how many. */
export type Histogram = Map<number, number>;

/**
 * The time that a share of all did not exceed, in ms; `undefined` when there are none.
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
