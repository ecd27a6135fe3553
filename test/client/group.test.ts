import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createGroup } from '../../src/client/group.js';
import type { Listener } from '../../src/client/topic.js';

const HOUR = 3_600_000;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it('adds a job to a connection although the clock was set back by an hour', async () => {
  const asked: number[] = [];
  const group = createGroup(
    (members, signal) => {
      asked.push(members.length);
      const body = new ReadableStream({
        start: (stream) => signal.addEventListener('abort', () => stream.close(), { once: true }),
      });
      return Promise.resolve(new Response(body, { headers: { 'Content-Type': 'text/event-stream' } }));
    },
    { silenceMs: 60_000, mutedMs: 60_000 },
    () => {},
  );
  const listener: Listener = { onEvent: () => {}, onStatus: () => {}, onEnd: () => {} };
  const join = async (name: string): Promise<() => void> => {
    const leave = group.join({ kind: 'job', name }, listener);
    await vi.advanceTimersByTimeAsync(500);
    return leave;
  };
  const leaveFirst = await join('a');
  vi.setSystemTime(Date.now() - HOUR);
  const leaveSecond = await join('b');
  expect(asked).toEqual([1, 2]);
  leaveFirst();
  leaveSecond();
});
