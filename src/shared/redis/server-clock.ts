import type { Redis } from 'ioredis';

/** How often Redis is asked for its time, in ms. */
const ASK_MS = 10_000;

/**
 * The offset of Redis' clock from this machine's monotonic clock, in ms; NaN until Redis has answered. It is in shared
 * memory, so that the threads of a worker read what the main thread has learned.
 */
let cell = new Float64Array(new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT)).fill(Number.NaN);

/** A clock that nobody sets, in ms. Unlike `performance.now()` it begins at the same moment in all threads. */
function monotonic(): number {
  const [seconds, nanos] = process.hrtime();
  return seconds * 1000 + nanos / 1e6;
}

/**
 * The time by Redis' clock, in whole ms since 1970. All times that are kept in Redis, or compared with such times, are
 * taken from here: the processes agree on them, however wrong the clocks of their machines are, and a machine whose clock is
 * set back does not see time stand still. Until Redis has answered it is the machine's time.
 */
export function serverNow(): number {
  const offset = cell[0]!;
  return Number.isNaN(offset) ? Date.now() : Math.floor(monotonic() + offset);
}

/** What a thread needs to tell the same time: handed to {@link shareServerClock} there. */
export const serverClockCell = (): SharedArrayBuffer => cell.buffer;

/** Has this thread read the clock that another one keeps. */
export function shareServerClock(buffer: SharedArrayBuffer): void {
  cell = new Float64Array(buffer);
}

/**
 * Begins to measure how long an answer takes.
 * @returns takes the time that Redis answered with (ms since 1970). It was right at some moment in between, and an estimate
 * that fits to that stays: a late answer makes the clock no worse.
 */
export function askingServerTime(): (serverMs: number) => void {
  const asked = monotonic();
  return (serverMs) => {
    if (!Number.isFinite(serverMs)) return;
    const least = serverMs - monotonic();
    const most = serverMs - asked;
    const known = cell[0]!;
    cell[0] = Number.isNaN(known) ? (least + most) / 2 : Math.min(Math.max(known, least), most);
  };
}

/** Keeps the clock right while a connection is open: it asks Redis for its time now and then. @returns ends that */
export function keepServerClock(redis: Redis): () => void {
  async function ask(): Promise<void> {
    const answered = askingServerTime();
    const [seconds, micros] = (await redis.time()).map(Number);
    answered(seconds! * 1000 + micros! / 1000);
  }
  const askIfReady = (): void => {
    // While Redis is away a command would only wait, and the next connection begins with an answer.
    if (redis.status === 'ready') ask().catch(() => {});
  };
  askIfReady();
  const timer = setInterval(askIfReady, ASK_MS).unref();
  return () => clearInterval(timer);
}
