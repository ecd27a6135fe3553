import { shareServerClock } from '../../src/shared/redis/server-clock.js';

// The test files of a test worker share its modules. Each file begins without a known clock of Redis, because it may set
// a clock of its own.
const unknown = new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT);
new Float64Array(unknown).fill(Number.NaN);
shareServerClock(unknown);
