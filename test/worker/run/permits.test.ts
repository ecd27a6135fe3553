import { expect, it } from 'vitest';
import { Permits } from '../../../src/worker/run/permits.js';

const never = new AbortController().signal;

it('gives a permit to the worker that has waited longest', async () => {
  const permits = new Permits(1);
  const [a, b] = [{}, {}];
  const order: string[] = [];
  expect(permits.tryTake()).toBe(true);
  expect(permits.tryTake()).toBe(false);
  const first = permits.take(a, never).then(() => order.push('a'));
  const second = permits.take(b, never).then(() => order.push('b'));
  expect([permits.isWantedByOthers(a), permits.isWantedByOthers(b)]).toEqual([true, true]);
  permits.release();
  await first;
  expect(order).toEqual(['a']);
  expect([permits.isWantedByOthers(a), permits.isWantedByOthers(b)]).toEqual([true, false]);
  permits.release();
  await second;
  permits.release();
  expect(permits.tryTake()).toBe(true);
});

it('a worker that no longer waits gets no permit', async () => {
  const permits = new Permits(1);
  permits.tryTake();
  const closing = new AbortController();
  const taken = permits.take({}, closing.signal);
  closing.abort();
  expect(await taken).toBe(false);
  expect(await permits.take({}, closing.signal)).toBe(false);
  permits.release();
  expect(permits.tryTake()).toBe(true);
});
