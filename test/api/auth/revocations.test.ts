import type { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import type { ApiKeys } from '../../../src/api/auth/api-keys.js';
import { createRevocations } from '../../../src/api/auth/revocations.js';
import { createKeyspace } from '../../../src/shared/keyspace.js';
import { until } from '../../support/until.js';

it('asks Redis once for all requests that come while it answers another one', async () => {
  const calls: Array<{ keys: string[]; answer: (revoked?: string) => void }> = [];
  const redis = {
    mget: (keys: string[]) =>
      new Promise((resolve) =>
        calls.push({
          keys,
          answer: (revoked) => resolve(keys.map((key) => (revoked && key.endsWith(revoked) ? '1' : null))),
        }),
      ),
  };
  const { check } = createRevocations(redis as unknown as Redis, createKeyspace('test'), {} as ApiKeys);

  const first = check({ digest: 'one', principal: 'user:ann\nb' });
  const same = check({ digest: 'one', principal: 'user:ann' });
  const other = check({ digest: 'two', principal: 'user:ann' });
  const revoked = check({ digest: 'three' }).catch(String);
  expect(calls.map(({ keys }) => keys.length)).toEqual([2]);
  calls[0]!.answer();
  await first;
  // They came later than the first call, so they get the answer of a later one.
  await until('asked again', () => calls.length === 2);
  expect(calls[1]!.keys).toHaveLength(4);
  calls[1]!.answer('three');
  await Promise.all([same, other]);
  expect(await revoked).toContain('has been revoked');
  expect(calls).toHaveLength(2);
});
