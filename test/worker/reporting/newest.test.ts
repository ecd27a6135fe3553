import { expect, it } from 'vitest';
import { Newest } from '../../../src/worker/reporting/newest.js';

it('sends one value at a time, and only the newest of the waiting values', async () => {
  const sent: number[] = [];
  const lost: unknown[] = [];
  let land: () => void = () => {};
  const newest = new Newest<number>(
    (value) => {
      sent.push(value);
      if (value === 3) return Promise.reject(new Error('away'));
      return new Promise<void>((resolve) => (land = resolve));
    },
    (error) => lost.push(error),
  );
  for (let i = 0; i <= 3; i++) newest.put(i);
  expect(sent).toEqual([0]);
  const delivered = newest.delivered();
  land();
  await delivered;
  expect(sent).toEqual([0, 3]);
  expect(lost).toEqual([new Error('away')]);
  newest.put(4);
  expect(sent).toEqual([0, 3, 4]);
});
