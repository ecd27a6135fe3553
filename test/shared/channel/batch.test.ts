import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createBatcher } from '../../../src/shared/channel/batch.js';

describe('createBatcher', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('makes rare calls at once and batches frequent ones, all in order', () => {
    const batch = createBatcher(10);
    const made: string[] = [];
    const call = (name: string): void => batch(() => void made.push(name));
    call('first');
    expect(made).toEqual(['first']);
    call('second');
    call('third');
    expect(made).toEqual(['first']);
    vi.advanceTimersByTime(10);
    expect(made).toEqual(['first', 'second', 'third']);
    call('fourth');
    expect(made).toHaveLength(3);
    vi.advanceTimersByTime(10);
    expect(made.at(-1)).toBe('fourth');
    vi.advanceTimersByTime(20);
    call('fifth');
    expect(made.at(-1)).toBe('fifth');
    expect(vi.getTimerCount()).toBe(1);
  });

  it('keeps the order when a call makes further calls', () => {
    const batch = createBatcher(10);
    const made: number[] = [];
    batch(() => void made.push(1));
    batch(() => {
      made.push(2);
      batch(() => void made.push(4));
    });
    batch(() => void made.push(3));
    vi.advanceTimersByTime(20);
    expect(made).toEqual([1, 2, 3, 4]);
  });

  it('waits for a call that is not done, however long it takes', async () => {
    const batch = createBatcher(10);
    const made: string[] = [];
    let finish: () => void = () => {};
    batch(() => new Promise<void>((resolve) => (finish = resolve)));
    batch(() => void made.push('second'));
    await vi.advanceTimersByTimeAsync(1000);
    expect(made).toEqual([]);
    finish();
    await vi.advanceTimersByTimeAsync(0);
    expect(made).toEqual(['second']);
    await vi.advanceTimersByTimeAsync(10);
    batch(() => void made.push('third'));
    expect(made).toEqual(['second', 'third']);
  });

  it('makes all calls of a batch even if one throws', () => {
    const batch = createBatcher(10);
    const made: number[] = [];
    batch(() => void made.push(1));
    batch(() => {
      throw new Error('not this one');
    });
    batch(() => void made.push(2));
    expect(() => vi.advanceTimersByTime(10)).toThrow('not this one');
    expect(made).toEqual([1, 2]);
    batch(() => void made.push(3));
    vi.advanceTimersByTime(20);
    expect(made).toEqual([1, 2, 3]);
  });
});
