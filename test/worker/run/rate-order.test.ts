import { expect, it } from 'vitest';
import { RateOrder } from '../../../src/worker/run/shared-rate.js';

it('the shard that was refused first asks first, and again last once it got a job', () => {
  const order = new RateOrder();
  const [a, b, c] = ['q', 'q~s1', 'q~s2'].map((queue) => order.refuse(queue));
  expect(a).toBe(0);
  expect(b).toBeGreaterThan(0);
  expect(c).toBeGreaterThan(b!);
  expect(order.refuse('q~s1')).toBe(b);
  order.leave('q');
  expect(order.refuse('q')).toBe(c);
  expect(order.refuse('q~s1')).toBe(0);
});
