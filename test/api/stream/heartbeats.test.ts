import { describe, expect, it } from 'vitest';
import { createHeartbeats } from '../../../src/api/stream/heartbeats.js';

describe('heartbeats', () => {
  it.each([
    [1, 15_000, 500],
    [1000, 15_000, 1000],
    [3000, 15_000, 3000],
    [14_000, 15_000, 14_000],
    [100_000, 15_000, 15_000],
    [1, 60_000, 500],
    [40_000, 60_000, 40_000],
    [1_000_000, 60_000, 60_000],
    [30_000, 4000, 4000],
    [5000, 200, 200],
    [1, 1000, 500],
  ])(
    'to each of %i viewers, with an interval of at most %i ms, are sent about every %i ms',
    (viewers, heartbeatMs, apartMs) => {
      const { tickMs, ticksApart, frame } = createHeartbeats(heartbeatMs);
      const ms = ticksApart(viewers) * tickMs;
      expect(ms).toBeLessThanOrEqual(apartMs);
      expect(ms).toBeGreaterThan(0.85 * apartMs);
      expect(frame(ticksApart(viewers)).toString()).toBe(`: next ${Math.round(ms)}\n\n`);
    },
  );
});
