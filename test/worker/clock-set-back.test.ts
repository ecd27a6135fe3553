import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { watchUpload } from '../../src/api/http/uploading.js';
import { Partials } from '../../src/worker/reporting/partials.js';
import { ProgressReporter } from '../../src/worker/reporting/progress-reporter.js';

const HOUR = 3_600_000;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it.each([-HOUR, HOUR, -60_000])(
  'publishes progress and partial results when the system clock jumps by %i ms',
  (jump) => {
    const seen: number[] = [];
    const chunks: string[] = [];
    const reporter = new ProgressReporter({
      jobId: 'j.1',
      attempt: 1,
      intervalMs: 100,
      publish: ({ percent }) => void seen.push(percent!),
      updateBullMq: () => undefined,
      warn: () => {},
    });
    const partials = new Partials({
      jobId: 'j.1',
      attempt: 1,
      intervalMs: 100,
      maxBytes: 1000,
      publish: (json) => chunks.push(JSON.parse(json).text),
    });
    reporter.update(1);
    partials.add('a');
    vi.setSystemTime(Date.now() + jump);
    reporter.update(2);
    partials.add('b');
    vi.advanceTimersByTime(100);
    reporter.update(3);
    partials.add('c');
    vi.advanceTimersByTime(100);
    expect(seen).toEqual([1, 2, 3]);
    expect(chunks).toEqual(['a', 'b', 'c']);
  },
);

it('ends a stalled upload when the system clock is set back by an hour', () => {
  const req = new IncomingMessage(new Socket());
  req.resume();
  const config = { STALL_TIMEOUT_MS: 1000, SHUTDOWN_GRACE_MS: 1000 };
  const upload = watchUpload(req, { config, stopping: () => false });
  vi.setSystemTime(Date.now() - HOUR);
  vi.advanceTimersByTime(2000);
  upload.end();
  expect(upload.signal.aborted).toBe(true);
});
