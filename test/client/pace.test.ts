import { describe, expect, it } from 'vitest';
import { createJobTimer, type JobTimer } from '../../src/client/job-timer.js';
import type { JobEvent } from '../../src/client/types.js';
import { fillOf, isIndeterminate, isPlanned } from '../../src/client/view.js';

const START = 1_790_000_000_000;
const about = { jobId: 'x.1', attempt: 1, name: 'steps' };
const event = (name: string, at: number, data: object = {}): JobEvent =>
  ({ event: name, id: 'e-1', data: { ...about, at: START + at, ...data } }) as JobEvent;
const progress = (percent: number | null, at: number, more: object = {}) =>
  event('progress', at, { percent, ...more });

/** A timer with a viewer's clock `skew` ms ahead of the service's. Events arrive when they are published. */
function watch(skew = 0): { timer: JobTimer; at(ms: number, ...events: JobEvent[]): void } {
  let now = 0;
  const timer = createJobTimer(
    () => START + now + skew,
    () => now,
  );
  timer.status('live');
  return {
    timer,
    at(ms, ...events) {
      now = ms;
      for (const one of events) timer.event(one);
    },
  };
}

describe('the times of a job', () => {
  it('counts down an estimate, and drops it when it has passed or progress stops', () => {
    const { timer, at } = watch();
    at(0, event('active', 0, { attempts: 1 }));
    at(3000, progress(40, 3000, { etaMs: 4000, ratePerSecond: 10 }));
    expect(timer.timing()).toEqual({ elapsedMs: 3000, etaMs: 4000, ratePerSecond: 10 });
    at(6000);
    expect(timer.timing()).toEqual({ elapsedMs: 6000, etaMs: 1000, ratePerSecond: 10 });
    at(7500);
    expect(timer.timing()).toEqual({ elapsedMs: 7500, ratePerSecond: 10 });
    at(17_000);
    expect(timer.timing()).toEqual({ elapsedMs: 17_000, stalledMs: 14_000 });
    at(17_500, progress(41, 17_500, { etaMs: 90_000, ratePerSecond: 2 }));
    expect(timer.timing()).toMatchObject({ etaMs: 90_000, ratePerSecond: 2 });
  });

  it('counts a job as stalled while it repeats the same numbers', () => {
    const { timer, at } = watch();
    at(0, event('active', 0, { attempts: 1 }));
    for (let ms = 0; ms <= 20_000; ms += 500)
      at(
        ms,
        progress(40, ms, { current: 4, etaMs: 4000 + ms, ratePerSecond: 5 / (1 + ms), message: `${ms}` }),
      );
    expect(timer.timing()).toEqual({ elapsedMs: 20_000, stalledMs: 20_000 });
  });

  it('does not count a job with rare progress as stalled', () => {
    const { timer, at } = watch();
    at(0, event('active', 0, { attempts: 1 }));
    for (let i = 0; i < 4; i++) at(i * 10_000, progress(i, i * 10_000, { current: i, ratePerSecond: 0.1 }));
    at(50_000);
    expect(timer.timing().stalledMs).toBeUndefined();
    at(61_000);
    expect(timer.timing().stalledMs).toBe(31_000);
    // A viewer that has seen only one report uses the rate in it.
    const late = watch();
    late.at(0, event('active', 0, { attempts: 1 }), progress(3, 0, { current: 3, ratePerSecond: 0.1 }));
    late.at(20_000);
    expect(late.timer.timing().stalledMs).toBeUndefined();
  });

  it.each([
    ['progress without numbers', progress(null, 1000, { message: 'still there' })],
    ['a retry', event('retrying', 1000, { error: { message: 'no' }, attempts: 3 })],
    ['a lost worker', event('stalled', 1000)],
  ])('does not count a job as stalled after %s', (_what, last) => {
    const { timer, at } = watch();
    at(0, event('active', 0, { attempts: 3 }));
    at(1000, last);
    at(60_000);
    expect(timer.timing()).toEqual({ elapsedMs: 60_000 });
  });

  it('measures the whole run over all its attempts, and starts again after its end', () => {
    const { timer, at } = watch();
    at(0, event('waiting', 0, { attempt: 0 }));
    at(2000);
    expect(timer.timing()).toEqual({});
    at(5000, event('active', 5000, { attempts: 2 }));
    at(6000, event('retrying', 6000, { error: { message: 'no' }, attempts: 2 }));
    at(9000, event('active', 9000, { attempt: 2, attempts: 2 }));
    at(15_000, event('failed', 12_000, { error: { message: 'no' } }));
    expect(timer.timing()).toEqual({ elapsedMs: 7000 });
    at(20_000, event('waiting', 20_000));
    expect(timer.timing()).toEqual({});
  });

  it('counts down the time until a waiting job begins, by the clock of the service', () => {
    const { timer, at } = watch(-90_000);
    at(0, event('waiting', 0), event('queue', 0, { paused: false, position: 3, beginsInMs: 60_000 }));
    expect(timer.timing()).toEqual({ beginsInMs: 60_000 });
    at(45_000);
    expect(timer.timing()).toEqual({ beginsInMs: 15_000 });
    at(61_000);
    expect(timer.timing()).toEqual({});
    at(62_000, event('queue', 62_000, { paused: false, position: 2, beginsInMs: 30_000 }));
    expect(timer.timing()).toEqual({ beginsInMs: 30_000 });
    at(63_000, event('queue', 63_000, { paused: true }));
    expect(timer.timing()).toEqual({});
    at(
      64_000,
      event('queue', 64_000, { paused: false, position: 0, beginsInMs: 5000 }),
      event('active', 64_000),
    );
    expect(timer.timing()).toEqual({ elapsedMs: 0 });
  });

  it('has no estimate while disconnected', () => {
    const { timer, at } = watch();
    at(0, event('active', 0, { attempts: 1 }), progress(40, 0, { etaMs: 30_000, ratePerSecond: 10 }));
    timer.status('stale');
    at(1000);
    expect(timer.timing()).toEqual({ elapsedMs: 1000 });
  });

  it.each([
    ['five minutes ahead', 300_000],
    ['five minutes behind', -300_000],
    ['an hour ahead', 3_600_000],
    ['a year behind', -31_536_000_000],
  ])('is correct for a viewer whose clock is %s, as soon as the job reports progress', (_what, skew) => {
    const { timer, at } = watch(skew);
    at(0, event('active', 0, { attempts: 1 }));
    for (let ms = 100; ms <= 4000; ms += 100) at(ms, progress(ms / 100, ms, { etaMs: 6000 }));
    expect(timer.timing()).toEqual({ elapsedMs: 4000, etaMs: 6000 });
    at(15_000);
    expect(timer.timing()).toEqual({ elapsedMs: 15_000, stalledMs: 11_000 });
  });

  it('recognizes a job that stalled long before it was watched', () => {
    const { timer, at } = watch();
    timer.status('stale');
    at(120_000);
    timer.status('live');
    at(120_000, event('active', 0, { attempts: 1 }), progress(40, 20_000, { etaMs: 4000 }));
    expect(timer.timing()).toEqual({ elapsedMs: 120_000, stalledMs: 100_000 });
  });
});

describe('the bar', () => {
  it.each([
    ['waiting', null, false, 0],
    ['delayed', null, false, 0],
    ['unknown', null, false, 0],
    ['active', null, true, 0],
    ['active', 0, false, 0],
    ['active', 42, false, 0.42],
    ['stalled', null, false, 0],
    ['retrying', 42, false, 0.42],
    ['failed', null, false, 0],
    ['cancelled', null, false, 0],
    ['completed', 100, false, 1],
  ] as const)(
    'of a job in the state %s at %s percent: indeterminate %s, filled %s',
    (state, percent, moves, fill) => {
      expect(isIndeterminate({ state, percent })).toBe(moves);
      expect(fillOf({ percent })).toBe(fill);
    },
  );

  it.each([
    [1, 1, false],
    [2, 1, false],
    [1, 3, true],
    [3, 3, true],
    [4, 3, false],
  ])('attempt %i of %i is shown with the maximum: %s', (attempt, attempts, shown) =>
    expect(isPlanned(attempt, attempts)).toBe(shown),
  );
});
