import { randomInt } from 'node:crypto';
import { onTestFailed } from 'vitest';
import { type Random, seeded } from './random.js';

/**
 * A source for the running test. Its seed is that of the environment variable SEED, or another one each time; a test that
 * fails prints it.
 */
export function randomOfTest(): Random {
  const seed = Number(process.env.SEED ?? randomInt(2 ** 31));
  onTestFailed(() => console.error(`The test fails with SEED=${seed}.`));
  return seeded(seed);
}
