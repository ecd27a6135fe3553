import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { backoff, pause, visibility } from '../../src/client/backoff.js';

afterEach(() => vi.restoreAllMocks());

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

  it('is five seconds at most where somebody looks', () => {
    vi.spyOn(visibility, 'isVisible').mockReturnValue(true);
    expect([0, 1, 2, 3, 20].map((failures) => backoff(failures, 2000, () => 1))).toEqual([
      2000, 4000, 5000, 5000, 5000,
    ]);
  });

  it('is cut short when a page comes into visibility', async () => {
    const document = Object.assign(new EventTarget(), { visibilityState: 'hidden' });
    vi.stubGlobal('document', document);
    expect(visibility.isVisible()).toBe(false);
    const waiting = pause(60_000);
    document.visibilityState = 'visible';
    document.dispatchEvent(new Event('visibilitychange'));
    await waiting;
    expect(visibility.isVisible()).toBe(true);
    vi.unstubAllGlobals();
  });

  it('is cut short by a signal', async () => {
    await pause(60_000, AbortSignal.abort());
    const controller = new AbortController();
    const waiting = pause(60_000, controller.signal);
    controller.abort();
    await waiting;
  });
});
