import { describe, expect, it } from 'vitest';
import { bucketOf } from '../../../src/shared/dashboard/histogram.js';
import { counters, minuteView, namesIn } from '../../../src/shared/dashboard/minutes.js';

const counted = {
  [counters.outcome('completed', 'render')]: '3',
  [counters.outcome('failed', 'render')]: '1',
  [counters.outcome('completed', 'a: b')]: '2',
  [counters.outcome('cancelled', 'a: b')]: '4',
  [counters.wait(bucketOf(100), 'render')]: '4',
  [counters.run(bucketOf(1000), 'render')]: '3',
  [counters.run(bucketOf(60_000), 'a: b')]: '1',
};

describe('the view of a minute', () => {
  it('is the sum over all kinds, whatever their names are', () => {
    const view = minuteView(7, counted);
    expect(view).toMatchObject({ minute: 7, completed: 5, failed: 1, cancelled: 4 });
    expect(view.run![0]).toBeGreaterThan(900);
    expect(view.run![0]).toBeLessThan(1100);
    expect(view.run![1]).toBeGreaterThan(54_000);
    expect(namesIn(counted).sort()).toEqual(['a: b', 'render']);
  });

  it('includes only the requested kinds', () => {
    expect(minuteView(7, counted, ['a: b'])).toMatchObject({
      completed: 2,
      failed: 0,
      cancelled: 4,
      wait: null,
    });
  });
});
