import type { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import type { ApiKeys } from '../../../src/api/auth/api-keys.js';
import { createRevocations } from '../../../src/api/auth/revocations.js';
import { createKeyspace } from '../../../src/shared/keyspace.js';

it('asks Redis once for the requests with the same token that wait at the same time', async () => {
  const calls: Array<{ keys: string[]; answer: () => void }> = [];
  const redis = {
    mget: (keys: string[]) =>
      new Promise((resolve) => calls.push({ keys, answer: () => resolve(keys.map(() => null)) })),
  };
  const { check } = createRevocations(redis as unknown as Redis, createKeyspace('test'), {} as ApiKeys);
  const token = { digest: 'one', principal: 'user:ann' };

  const first = check(token);
  const later = [check(token), check({ ...token })];
  const other = check({ digest: 'two' });
  expect(calls.map(({ keys }) => keys.length)).toEqual([2, 1]);
  calls[0]!.answer();
  calls[1]!.answer();
  await Promise.all([first, other]);
  // Those that came during the first call get an answer that is newer than they are.
  expect(calls).toHaveLength(3);
  calls[2]!.answer();
  await Promise.all(later);
});
