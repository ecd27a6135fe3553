import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { backoff, pause, visibility } from '../../src/client/backoff.js';

afterEach(() => vi.restoreAllMocks());

describe('backoff', () => {
  it('is a random time up to a limit that doubles, and at most 30 s', () => {
    fc.assert(
      fc.property(fc.nat(50), fc.integer({ min: 1, max: 60_000 }), (failures, base) => {
        const limit = backoff(failures, base, () => 1);
        expect(limit).toBe(Math.min(30_000, base * 2 ** failures));
        expect(backoff(failures, base, () => 0)).toBe(0);
        expect(backoff(failures, base)).toBeLessThanOrEqual(limit);
      }),
    );
  });

  it('is at most 5 s in a visible page', () => {
    vi.spyOn(visibility, 'isVisible').mockReturnValue(true);
    expect([0, 1, 2, 3, 20].map((failures) => backoff(failures, 2000, () => 1))).toEqual([
      2000, 4000, 5000, 5000, 5000,
    ]);
  });

  it('ends early when the page becomes visible', async () => {
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

  it('ends early when the signal is aborted', async () => {
    await pause(60_000, AbortSignal.abort());
    const controller = new AbortController();
    const waiting = pause(60_000, controller.signal);
    controller.abort();
    await waiting;
  });
});
