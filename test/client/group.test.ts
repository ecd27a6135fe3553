import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createGroup } from '../../src/client/group.js';
import { createPool } from '../../src/client/pool.js';
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

it('follows hundreds of jobs over three connections, unless their tokens do not fit into the requests', async () => {
  const requests: Array<{ jobs: number; length: number }> = [];
  const pool = createPool(
    {
      url: 'http://service.example',
      fetch: (url, init) => {
        const tokens = new Headers(init?.headers).get('Headway-Job-Tokens') ?? '';
        requests.push({
          jobs: String(url).split('job=').length - 1,
          length: String(url).length + tokens.length,
        });
        return new Promise((_resolve, reject) =>
          init?.signal?.addEventListener('abort', reject, { once: true }),
        );
      },
    },
    { silenceMs: 60_000, mutedMs: 60_000 },
  );
  const listener: Listener = { onEvent: () => {}, onStatus: () => {}, onEnd: () => {} };
  const follow = async (count: number, token?: string): Promise<number[]> => {
    requests.length = 0;
    const leave = Array.from({ length: count }, (_, i) =>
      pool.follow({ kind: 'job', name: `steps.${i}`, token, stays: true }, listener),
    );
    await vi.advanceTimersByTimeAsync(500);
    for (const one of leave) one();
    for (const { length } of requests) expect(length).toBeLessThan(8192);
    return requests.map(({ jobs }) => jobs);
  };
  expect(await follow(32)).toEqual([30, 2]);
  expect(await follow(300)).toEqual([100, 100, 100]);
  // The usual length of a job's token.
  expect(await follow(150, 't'.repeat(216))).toEqual([32, 32, 32, 31, 23]);
});
