import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Headway } from '../../support/headway.js';
import { borrowHeadway } from '../../support/shared-headway.js';
import { bearer, signer } from '../../support/tokens.js';

describe('Idempotency-Keys of two callers', () => {
  let headway: Headway;
  let sign: ReturnType<typeof signer>;
  beforeAll(async () => {
    headway = await borrowHeadway();
    sign = signer(headway.env.TOKEN_SECRET!);
  });
  afterAll(() => headway.stop());

  const DATA = { count: 1, intervalMs: 1 };
  /** In an earlier version, the second caller of each pair got the first one's jobs, with their tokens. */
  const pairs: Array<[Record<string, string>, string, Record<string, string>, string]> = [
    [{ sub: 'a' }, 'b:key', { sub: 'a:b' }, 'key'],
    [{ sub: 'a' }, '\\b:key', { sub: 'a\\:b' }, 'key'],
    [{ sub: 'a', tenant: 't' }, 'b:key', { sub: 'a:b', tenant: 't' }, 'key'],
  ];

  it.each(pairs)('do not collide: %j with %s, %j with %s', async (one, key, other, otherKey) => {
    for (const [path, body] of [
      ['/v1/jobs', { name: 'steps', data: DATA }],
      ['/v1/jobs:batch', { jobs: [{ name: 'steps', data: DATA }] }],
    ] as const) {
      const start = async (claims: Record<string, string>, idempotencyKey: string): Promise<string> => {
        const response = await fetch(`${headway.api.url}${path}`, {
          method: 'POST',
          headers: {
            ...bearer(await sign(claims)),
            'Content-Type': 'application/json',
            // Each path needs a separate key, because the bodies differ.
            'Idempotency-Key': `${idempotencyKey}${path}`,
          },
          body: JSON.stringify(body),
        });
        expect(response.status).toBe(202);
        const answer = (await response.json()) as { id: string; jobs?: Array<{ id: string }> };
        return answer.jobs?.[0]?.id ?? answer.id;
      };
      const first = await start(one, key);
      expect(await start(one, key)).toBe(first);
      expect(await start(other, otherKey)).not.toBe(first);
    }
  });
});
