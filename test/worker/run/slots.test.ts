import { expect, it } from 'vitest';
import { Slots } from '../../../src/worker/run/slots.js';

const never = new AbortController().signal;

it('gives a slot to the worker that has waited longest', async () => {
  const slots = new Slots(1);
  const [a, b] = [{}, {}];
  const order: string[] = [];
  expect(slots.tryTake()).toBe(true);
  expect(slots.tryTake()).toBe(false);
  const first = slots.take(a, never).then(() => order.push('a'));
  const second = slots.take(b, never).then(() => order.push('b'));
  expect([slots.isWantedByOthers(a), slots.isWantedByOthers(b)]).toEqual([true, true]);
  slots.release();
  await first;
  expect(order).toEqual(['a']);
  expect([slots.isWantedByOthers(a), slots.isWantedByOthers(b)]).toEqual([true, false]);
  slots.release();
  await second;
  slots.release();
  expect(slots.tryTake()).toBe(true);
});

it('a worker that no longer waits gets no slot', async () => {
  const slots = new Slots(1);
  slots.tryTake();
  const closing = new AbortController();
  const taken = slots.take({}, closing.signal);
  closing.abort();
  expect(await taken).toBe(false);
  expect(await slots.take({}, closing.signal)).toBe(false);
  slots.release();
  expect(slots.tryTake()).toBe(true);
});
