import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Partials, type PartialsOptions } from '../../../src/worker/reporting/partials.js';
import { anyText } from '../../support/any-text.js';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

interface Published {
  jobId: string;
  attempt: number;
  index: number;
  text?: string;
  chunks?: unknown[];
  at: number;
}

function partialsOf(options: Partial<PartialsOptions> = {}) {
  const published: Published[] = [];
  const sizes: number[] = [];
  const partials = new Partials({
    jobId: '1',
    attempt: 2,
    intervalMs: 100,
    maxBytes: 1e9,
    publish: (json) => {
      published.push(JSON.parse(json));
      sizes.push(Buffer.byteLength(json));
    },
    ...options,
  });
  const chunks = () => published.map(({ index, text, chunks }) => [index, text ?? chunks]);
  return { partials, published, sizes, chunks };
}

describe('a partial result', () => {
  it('is published at the leading and trailing edge of an interval, with texts joined and other values as a list', async () => {
    const { partials, published, chunks } = partialsOf();
    for (const chunk of ['a', 'b', 'c', { d: 1 }, [2], 'e']) partials.add(chunk);
    expect(chunks()).toEqual([
      [0, 'a'],
      [1, 'bc'],
      [3, [{ d: 1 }, [2]]],
    ]);
    await vi.advanceTimersByTimeAsync(100);
    expect(published.at(-1)).toEqual({ jobId: '1', attempt: 2, index: 5, text: 'e', at: 1_000_100 });
    await vi.advanceTimersByTimeAsync(1000);
    expect(published).toHaveLength(4);
    partials.add('f');
    expect(chunks().at(-1)).toEqual([6, 'f']);
  });

  it('publishes waiting chunks at the end, but not after it is stopped', async () => {
    const { partials, chunks } = partialsOf();
    for (let i = 0; i < 5; i++) partials.add(i);
    partials.finish();
    expect(chunks()).toEqual([
      [0, [0]],
      [1, [1, 2, 3, 4]],
    ]);
    partials.add('lost');
    partials.stop();
    await vi.advanceTimersByTimeAsync(1000);
    expect(chunks()).toHaveLength(2);
  });

  it('publishes each chunk when coalescing is off', () => {
    const { partials, chunks } = partialsOf({ intervalMs: 0 });
    for (const chunk of ['a', 'b', null]) partials.add(chunk);
    expect(chunks()).toEqual([
      [0, 'a'],
      [1, 'b'],
      [2, [null]],
    ]);
  });

  it('does not wait for a timer that is late because the job does not yield', () => {
    const { partials, chunks } = partialsOf();
    for (let i = 0; i < 25; i++) {
      partials.add(String(i % 10));
      vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 10);
    }
    expect(chunks()).toEqual([
      [0, '0'],
      [1, '1234567890'],
      [11, '1234567890'],
    ]);
  });

  it('copies the chunk, so later changes have no effect', () => {
    const { partials, chunks } = partialsOf();
    const chunk = { n: 1 };
    partials.add(chunk);
    partials.add(chunk);
    chunk.n = 2;
    partials.finish();
    expect(chunks()).toEqual([
      [0, [{ n: 1 }]],
      [1, [{ n: 1 }]],
    ]);
  });

  it.each([
    ['undefined', undefined, /^partial\(\): the chunk cannot be converted to JSON: the type is undefined$/],
    ['a function', () => {}, /cannot be converted to JSON: the type is function/],
    ['a bigint', 1n, /cannot be converted to JSON: .*BigInt/],
    ['a text over 64 KiB', 'é'.repeat(32 * 1024), /is 65538 bytes as JSON; the limit is 65536/],
  ])('cannot be %s', (_what, chunk, message) => {
    const { partials, published } = partialsOf();
    expect(() => partials.add(chunk)).toThrow(message);
    expect(published).toEqual([]);
  });

  it('limits all chunks together, and names the setting in the error', () => {
    const { partials } = partialsOf({ maxBytes: 10 });
    partials.add('12345678');
    expect(() => partials.add('9')).toThrow(/limited to 10 bytes \(PARTIAL_MAX_BYTES\)/);
  });

  it('preserves all chunks in events of at most 64 KiB for any timing', async () => {
    const chunk = fc.oneof(
      anyText(),
      fc.jsonValue(),
      fc.nat(60_000).map((n) => '"'.repeat(n / 2)),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(chunk, fc.nat(150)), { maxLength: 30 }), async (given) => {
        const { partials, published, sizes } = partialsOf();
        for (const [value, waitMs] of given) {
          partials.add(value);
          await vi.advanceTimersByTimeAsync(waitMs);
        }
        partials.finish();
        const text = given.map(([value]) => (typeof value === 'string' ? value : '\0')).join('');
        const values = given.flatMap(([value]) => (typeof value === 'string' ? [] : [value]));
        expect(published.map((one) => one.text ?? one.chunks!.map(() => '\0').join('')).join('')).toBe(text);
        expect(published.flatMap(({ chunks = [] }) => chunks)).toEqual(JSON.parse(JSON.stringify(values)));
        for (const size of sizes) expect(size).toBeLessThan(64 * 1024 + 200);
        const indexes = published.map(({ index }) => index);
        expect(indexes).toEqual([...new Set(indexes)].sort((a, b) => a - b));
      }),
      { numRuns: 200 },
    );
  });
});
