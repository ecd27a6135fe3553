import { shareServerClock } from '../../src/shared/redis/server-clock.js';

// The files of a test worker share its modules. What one has learned of Redis' clock must not reach the next, which may set
// a clock of its own.
const unknown = new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT);
new Float64Array(unknown).fill(Number.NaN);
shareServerClock(unknown);
