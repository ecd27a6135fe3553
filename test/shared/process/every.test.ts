import { describe, expect, test } from 'vitest';
import { every, singleFlight } from '../../../src/shared/process/every.js';
import { until } from '../../support/until.js';

describe('singleFlight', () => {
  test('shares a run between calls that overlap, and starts a new one afterwards', async () => {
    let runs = 0;
    const work = singleFlight(async () => ++runs);
    expect(await Promise.all([work(), work()])).toEqual([1, 1]);
    expect(await work()).toBe(2);
  });
});

describe('every', () => {
  test('skips turns while a round is in progress', async () => {
    let started = 0;
    let finish = (): void => {};
    const repeated = every(
      1,
      () => {
        started++;
        return new Promise<void>((resolve) => {
          finish = resolve;
        });
      },
      () => {},
    );
    await until('the first round', () => started === 1);
    const joined = repeated.run();
    expect(started).toBe(1);
    finish();
    await joined;
    await until('the second round', () => started === 2);
    finish();
    await repeated.stop();
  });

  test('continues after a round that failed, and reports the failure', async () => {
    const errors: unknown[] = [];
    const repeated = every(
      1,
      () => Promise.reject(new Error('lost')),
      (error) => errors.push(error),
    );
    await until('two failures', () => errors.length >= 2);
    await repeated.stop();
    expect(errors[0]).toEqual(new Error('lost'));
  });

  test('stops after the round in progress has ended, and does nothing when run again', async () => {
    let ended = 0;
    const repeated = every(
      60_000,
      async () => {
        await Promise.resolve();
        ended++;
      },
      () => {},
    );
    void repeated.run();
    await repeated.stop();
    expect(ended).toBe(1);
    await repeated.run();
    expect(ended).toBe(1);
  });
});
