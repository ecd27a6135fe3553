import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoff, pause } from '../../src/client/backoff.js';

describe('backoff', () => {
  it('is a random time up to a limit that doubles, and half a minute at most', () => {
    fc.assert(
      fc.property(fc.nat(50), fc.integer({ min: 1, max: 60_000 }), (failures, base) => {
        const limit = backoff(failures, base, () => 1);
        expect(limit).toBe(Math.min(30_000, base * 2 ** failures));
        expect(backoff(failures, base, () => 0)).toBe(0);
        expect(backoff(failures, base)).toBeLessThanOrEqual(limit);
      }),
    );
  });

  it('is cut short by a signal', async () => {
    await pause(60_000, AbortSignal.abort());
    const controller = new AbortController();
    const waiting = pause(60_000, controller.signal);
    controller.abort();
    await waiting;
  });
});
