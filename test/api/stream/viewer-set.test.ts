import { pino } from 'pino';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { StreamSink } from '../../../src/api/stream/handshake.js';
import type { PendingStream } from '../../../src/api/stream/pending-stream.js';
import { ViewerSet } from '../../../src/api/stream/viewer-set.js';

class Counted extends ViewerSet<{ served: number }> {
  readonly kind = 'channel';
  served = 0;
  async join(): Promise<void> {
    const sink = { write: () => true } as unknown as StreamSink;
    await this.add({ open: async () => sink } as unknown as PendingStream, [], '', () => ({ served: 0 }));
  }
  leave(count: number): void {
    for (const sink of [...this.viewers.keys()].slice(0, count)) this.viewers.delete(sink);
  }
  timesServed(): number[] {
    return Array.from(this.viewers.values(), ({ served }) => served);
  }
  protected serve(_sink: StreamSink, viewer: { served: number }): void {
    viewer.served++;
    this.served++;
  }
  protected stalledSince(): undefined {}
  protected resume(): void {}
  protected eventsOf(): number {
    return 0;
  }
  protected release(): void {}
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('serves each viewer once in a tick, a part of the viewers at a time', async () => {
  const set = new Counted(
    { isRevoked: async () => false, stallTimeoutMs: 1000, log: pino({ level: 'silent' }) },
    1000,
  );
  for (let i = 0; i < 195; i++) await set.join();
  const inSteps: number[] = [];
  for (let step = 0; step < 20; step++) {
    const before = set.served;
    vi.advanceTimersByTime(50);
    inSteps.push(set.served - before);
  }
  expect(Math.max(...inSteps)).toBeLessThanOrEqual(10);
  expect(set.timesServed()).toEqual(Array(195).fill(1));
});

it('serves viewers that come and go during a tick not twice, and in the next tick at the latest', async () => {
  const set = new Counted(
    { isRevoked: async () => false, stallTimeoutMs: 1000, log: pino({ level: 'silent' }) },
    1000,
  );
  for (let i = 0; i < 100; i++) await set.join();
  vi.advanceTimersByTime(500);
  set.leave(30);
  for (let i = 0; i < 50; i++) await set.join();
  vi.advanceTimersByTime(500);
  expect(Math.max(...set.timesServed())).toBe(1);
  vi.advanceTimersByTime(1000);
  expect(Math.min(...set.timesServed())).toBeGreaterThan(0);
});
