/**
 * The offset of Redis' clock from this machine's monotonic clock, in ms; NaN until Redis has answered. It is in shared
 * memory, so that the threads of a worker use the value that the main thread has measured.
 */
let cell = new Float64Array(new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT)).fill(Number.NaN);

/** Returns the time of the monotonic clock, in ms. Unlike `performance.now()`, it has the same origin in all threads. */
function monotonic(): number {
  const [seconds, nanos] = process.hrtime();
  return seconds * 1000 + nanos / 1e6;
}

/**
 * Returns the time by Redis' clock, in whole ms since 1970. All times that are stored in Redis, or compared with stored
 * times, come from here: processes agree on them even if the clocks of their machines are wrong or are set back. Until Redis
 * has answered, it is the machine's time.
 */
export function serverNow(): number {
  const offset = cell[0] ?? Number.NaN;
  return Number.isNaN(offset) ? Date.now() : Math.floor(monotonic() + offset);
}

/** Returns the shared memory of the clock, for {@link shareServerClock} in a thread. */
export const serverClockCell = (): SharedArrayBuffer => cell.buffer;

/** Makes this thread use the clock of another thread. */
export function shareServerClock(buffer: SharedArrayBuffer): void {
  cell = new Float64Array(buffer);
}

/**
 * Starts a measurement of Redis' clock: call it before asking Redis for its time.
 * @returns a function to call with the answer, in ms since 1970. The answer was correct at some moment between the two calls. An
 * estimate that is consistent with it is kept, so a late answer does not make the clock less accurate.
 */
export function askingServerTime(): (serverMs: number) => void {
  const asked = monotonic();
  return (serverMs) => {
    if (!Number.isFinite(serverMs)) return;
    const least = serverMs - monotonic();
    const most = serverMs - asked;
    const known = cell[0] ?? Number.NaN;
    cell[0] = Number.isNaN(known) ? (least + most) / 2 : Math.min(Math.max(known, least), most);
  };
}
