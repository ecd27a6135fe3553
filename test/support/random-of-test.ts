import { randomInt } from 'node:crypto';
import { onTestFailed } from 'vitest';
import { type Random, seeded } from './random.js';

/**
 * Returns a source of random numbers for the running test. The seed comes from the environment variable SEED; otherwise,
 * each run has a new seed. A test that fails prints its seed.
 */
export function randomOfTest(): Random {
  const seed = Number(process.env.SEED ?? randomInt(2 ** 31));
  onTestFailed(() => console.error(`The test fails with SEED=${seed}.`));
  return seeded(seed);
}
