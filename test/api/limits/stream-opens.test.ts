import type { Response } from 'express';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { LimitedCaller } from '../../../src/api/limits/caller.js';
import { RecentCounts, WINDOW_MS } from '../../../src/api/limits/recent-counts.js';
import { createStreamOpens } from '../../../src/api/limits/stream-opens.js';
import { HeadwayError } from '../../../src/shared/errors.js';

const MINUTE = 29_833_333;
const nowhere = () => 0;

/** Streams of an address whose time the test decides. */
function opensOf(max: number) {
  const lately = new RecentCounts();
  const clock = { now: MINUTE * WINDOW_MS };
  const opens = createStreamOpens({
    counts: {
      recent: (name) => lately.of(name, nowhere, clock.now),
      note: (name, most) => lately.add(name, most, clock.now),
    },
    max: (limit) => ({ 'stream-opens': 7, streams: 2, dashboards: 1 })[limit],
    maxOfAddress: max,
  });
  /** Opens a stream. @returns when another attempt is allowed, in ms; 0 if it was opened */
  const attempt = (): number => {
    try {
      opens.countOf('address:a');
      return 0;
    } catch (error) {
      expect(error).toBeInstanceOf(HeadwayError);
      return (error as HeadwayError).members.retryAfterMs as number;
    }
  };
  return { opens, clock, attempt };
}

it('a caller that is refused is allowed after the time that it is told, and not before', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.array(fc.integer({ min: 0, max: 20_000 }), { minLength: 1, maxLength: 200 }),
      (max, pauses) => {
        const { clock, attempt } = opensOf(max);
        const openedAt: number[] = [];
        for (const pause of pauses) {
          clock.now += pause;
          const waitMs = attempt();
          if (waitMs > 0) {
            clock.now += waitMs - 2;
            if (waitMs > 2) expect(attempt()).toBeGreaterThan(0);
            clock.now += 2;
            expect(attempt()).toBe(0);
          }
          openedAt.push(clock.now);
          // Within a minute of the clock the limit is exact.
          const minute = Math.floor(clock.now / WINDOW_MS);
          expect(openedAt.filter((at) => Math.floor(at / WINDOW_MS) === minute).length).toBeLessThanOrEqual(
            max,
          );
        }
      },
    ),
    { numRuns: 100 },
  );
});

it('all viewers of a full address can reconnect at once, three times in a minute', () => {
  const { clock, attempt } = opensOf(3 * 2000);
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 2000; i++) expect(attempt()).toBe(0);
    clock.now += 15_000;
  }
  expect(attempt()).toBeGreaterThan(0);
});

it('an API key with a number of streams of its own may open three times as many', () => {
  const { opens } = opensOf(0);
  const caller = (own: LimitedCaller['own'], who: string): LimitedCaller => ({
    kind: 'key',
    tier: 'key',
    who,
    address: 'address:a',
    exempt: false,
    own,
  });
  const countOf = (of: 'streams' | 'dashboards', by: LimitedCaller): number => {
    for (let count = 0; ; count++) {
      try {
        opens.count(of, by, { headersSent: true } as Response);
      } catch {
        return count;
      }
    }
  };
  expect(countOf('streams', caller({}, 'key:a'))).toBe(7);
  expect(countOf('streams', caller({ streams: 2 }, 'key:b'))).toBe(6);
  expect(countOf('streams', caller({ streams: 2, 'stream-opens': 7 }, 'key:c'))).toBe(7);
  expect(countOf('dashboards', caller({}, 'key:d'))).toBe(30);
});

it('counts of several processes add up by the minutes of the clock, and small ones stay where they are', () => {
  const [one, two] = [new RecentCounts(), new RecentCounts()];
  let now = MINUTE * WINDOW_MS + 59_000;
  for (let i = 0; i < 5; i++) one.add('a', 400, now);
  one.add('b', 400, now);
  const shared = (): Map<string, number> => new Map(one.entries(now));
  expect([...shared().values()]).toEqual([5]);
  const seen = () => two.of('a', (name) => shared().get(name) ?? 0, now);
  expect(seen()).toMatchObject({ present: 5, previous: 0 });
  now += 2000;
  two.add('a', 400, now);
  expect(seen()).toMatchObject({ present: 1, previous: 5 });
  // The clock is measured again.
  now -= 1500;
  expect(seen()).toMatchObject({ present: 1, previous: 5, elapsed: 0 });
  now += 2 * WINDOW_MS;
  expect(seen()).toMatchObject({ present: 0, previous: 1 });
  now += 10 * WINDOW_MS;
  expect([seen(), one.entries(now)]).toMatchObject([{ present: 0, previous: 0 }, []]);
});
