// Marks by which viewers count events and see how long ago they were sent. The clock is the machine's monotonic one,
// which all processes share.

const MARK = '"mark';
const markBytes = Buffer.from(MARK);

/** The time in microseconds. */
export const now = () => Number(process.hrtime.bigint() / 1000n);

/** Returns a mark with the present time. */
export const stamp = () => `mark${now()}.`;

/** Calls `onMark` for each mark in a chunk of a stream, with its age in ms if it has a time. */
export function eachMark(chunk, onMark) {
  for (let at = chunk.indexOf(markBytes); at >= 0; at = chunk.indexOf(markBytes, at + MARK.length)) {
    const from = at + MARK.length;
    const end = chunk.indexOf(46, from);
    const sent = end < 0 || end - from > 20 ? Number.NaN : Number(chunk.latin1Slice(from, end));
    onMark(Number.isNaN(sent) ? undefined : (now() - sent) / 1000);
  }
}
