import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ProgressData } from '../../../src/worker/reporting/progress.js';
import { ProgressReporter } from '../../../src/worker/reporting/progress-reporter.js';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

function reporterOf(options: { intervalMs?: number; publish?: () => Promise<unknown> } = {}) {
  const published: ProgressData[] = [];
  const toBullMq: ProgressData[] = [];
  const warnings: string[] = [];
  const reporter = new ProgressReporter({
    jobId: '1',
    attempt: 1,
    intervalMs: options.intervalMs ?? 100,
    publish: async (data) => {
      published.push(data);
      await options.publish?.();
    },
    updateBullMq: async (data) => void toBullMq.push(data),
    warn: (message) => void warnings.push(message),
  });
  return { reporter, published, toBullMq, warnings };
}

describe('P7: the progress reporter', () => {
  it('publishes the first update at once and the newest one at the end of each interval', async () => {
    const { reporter, published } = reporterOf();
    for (let percent = 0; percent <= 50; percent++) {
      reporter.update(percent);
      await vi.advanceTimersByTimeAsync(10);
    }
    await vi.advanceTimersByTimeAsync(1000);
    expect(published.map(({ percent }) => percent)).toEqual([0, 9, 19, 29, 39, 49, 50]);
  });

  it('publishes every update when coalescing is off', async () => {
    const { reporter, published } = reporterOf({ intervalMs: 0 });
    for (let percent = 1; percent <= 50; percent++) reporter.update(percent);
    expect(published).toHaveLength(50);
  });

  it('publishes the pending update on flush and waits for it', async () => {
    let arrived = false;
    const { reporter, published, toBullMq } = reporterOf({
      publish: async () => {
        await new Promise((resolve) => setTimeout(resolve, 30));
        arrived = true;
      },
    });
    reporter.update(1);
    reporter.update(99);
    const flushed = reporter.flush();
    await vi.advanceTimersByTimeAsync(29);
    expect(arrived).toBe(false);
    await vi.advanceTimersByTimeAsync(100);
    await flushed;
    expect(published.map(({ percent }) => percent)).toEqual([1, 99]);
    expect(toBullMq.at(-1)).toMatchObject({ percent: 99 });
  });

  it('updates BullMQ at most once a second', async () => {
    const { reporter, toBullMq } = reporterOf();
    for (let i = 0; i < 50; i++) {
      reporter.update(i);
      await vi.advanceTimersByTimeAsync(100);
    }
    expect(toBullMq.length).toBeGreaterThanOrEqual(5);
    expect(toBullMq.length).toBeLessThanOrEqual(6);
  });

  it('updates BullMQ within a second even if the job reports nothing more', async () => {
    const { reporter, toBullMq } = reporterOf();
    reporter.update(10);
    await vi.advanceTimersByTimeAsync(300);
    reporter.update(60);
    await vi.advanceTimersByTimeAsync(1000);
    expect(toBullMq.map(({ percent }) => percent)).toEqual([10, 60]);
  });

  it('keeps one publish pending while Redis is slow, and does not lose the newest update', async () => {
    let release: () => void = () => {};
    const { reporter, published } = reporterOf({
      publish: () => new Promise<void>((resolve) => (release = resolve)),
    });
    reporter.update(1);
    for (let i = 2; i <= 60; i++) {
      reporter.update(i);
      await vi.advanceTimersByTimeAsync(100);
    }
    expect(published).toHaveLength(1);
    release();
    await vi.advanceTimersByTimeAsync(200);
    expect(published.map(({ percent }) => percent)).toEqual([1, 60]);
  });

  it('continues after a failed publish, with a warning', async () => {
    const { reporter, published, warnings } = reporterOf({
      publish: () => Promise.reject(new Error('away')),
    });
    reporter.update(1);
    await vi.advanceTimersByTimeAsync(100);
    reporter.update(2);
    await vi.advanceTimersByTimeAsync(100);
    expect(published).toHaveLength(2);
    expect(warnings[0]).toMatch(/could not publish progress: Error: away/);
  });

  it('publishes nothing after it is stopped', async () => {
    const { reporter, published } = reporterOf();
    reporter.update(1);
    reporter.update(2);
    reporter.stop();
    await vi.advanceTimersByTimeAsync(1000);
    expect(published).toHaveLength(1);
  });

  it('publishes even if its timer is late because the job does not yield', () => {
    const sent: unknown[] = [];
    const busy = new ProgressReporter({
      jobId: '1',
      attempt: 1,
      intervalMs: 100,
      publish: (data) => void sent.push(data.percent),
      updateBullMq: () => undefined,
      warn: () => {},
    });
    for (let percent = 0; percent <= 30; percent++) {
      busy.update(percent);
      vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 10);
    }
    expect(sent).toEqual([0, 10, 20, 30]);
  });
});
