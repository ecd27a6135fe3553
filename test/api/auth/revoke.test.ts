import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Headway, startHeadway } from '../../support/headway.js';
import { startApi } from '../../support/processes.js';
import { openStream } from '../../support/sse.js';
import { call, signer } from '../../support/tokens.js';
import { until } from '../../support/until.js';

const ADMIN = 'an-admin-of-these-tests';
const REVOKED = { id: undefined, event: 'unauthorized', data: { reason: 'revoked' } };

describe('revocation', () => {
  let headway: Headway;
  let url: string;
  let sign: ReturnType<typeof signer>;
  beforeAll(async () => {
    headway = await startHeadway({
      workers: 0,
      env: {
        ADMIN_TOKEN: ADMIN,
        CHANNEL_RULES: JSON.stringify([{ channel: 'users.{sub}', subscribe: 'signed-in' }]),
      },
    });
    url = headway.api.url;
    sign = signer(headway.env.TOKEN_SECRET!);
  });
  afterAll(() => headway.stop());

  const makeKey = async (body: Record<string, unknown>) => {
    const answer = await call(`${url}/v1/keys`, 'POST', ADMIN, body);
    expect(answer.status).toBe(201);
    return (await answer.json()) as { id: string; secret: string; sub: string };
  };
  const follow = (channel: string, token: string, at = url) =>
    openStream(`${at}/stream?channel=${channel}`, { token });

  describe('an API key', () => {
    it('starts jobs, subscribes and publishes within its grants', async () => {
      const { secret, sub } = await makeKey({
        name: 'shop',
        subscribe: ['orders.*'],
        publish: ['orders.*'],
        jobs: ['steps'],
      });
      expect(sub).toBe('shop');
      const steps = { name: 'steps', data: { count: 1, intervalMs: 1 } };
      const started = await call(`${url}/v1/jobs`, 'POST', secret, steps);
      expect(started.status).toBe(202);
      const { links } = (await started.json()) as { links: { self: string } };
      expect((await call(`${url}${links.self}`, 'GET', secret)).status).toBe(200);
      // A token of the same principal has access too.
      expect((await call(`${url}${links.self}`, 'GET', await sign({ sub: 'shop' }))).status).toBe(200);
      const other = { name: 'checksum', data: {} };
      expect((await call(`${url}/v1/jobs`, 'POST', secret, other)).status).toBe(403);
      const stream = await follow('orders.7', secret);
      expect((await call(`${url}/v1/channels/orders.7`, 'POST', secret, { data: 1 })).status).toBe(200);
      await stream.waitFor('message');
      stream.close();
      expect((await follow('users.7', secret)).status).toBe(403);
      expect((await call(`${url}/v1/keys`, 'GET', secret)).status).toBe(403);
    });

    it('is stored as a hash, and shown without its secret', async () => {
      const { id, secret } = await makeKey({ name: 'kept', admin: true });
      const { keys } = (await (await call(`${url}/v1/keys`, 'GET', secret)).json()) as {
        keys: Array<Record<string, unknown>>;
      };
      const kept = keys.find((key) => key.id === id)!;
      expect(kept).toMatchObject({ name: 'kept', sub: 'kept', admin: true, createdAt: expect.any(Number) });
      const random = secret.split('_').slice(2).join('_');
      const everything = JSON.stringify([
        keys,
        await headway.connection.hgetall('headway:{auth}:keys'),
        headway.api.output(),
      ]);
      expect(everything).not.toContain(random);
      await until('its use is noted', async () => {
        const now = (await (await call(`${url}/v1/keys`, 'GET', ADMIN)).json()) as { keys: typeof keys };
        return now.keys.find((key) => key.id === id)!.usedAt;
      });
    });

    it('loses its open streams in all API processes when it is revoked, and opens no more', async () => {
      const second = await startApi(headway.env);
      try {
        const { id, secret } = await makeKey({ name: 'gone', subscribe: ['**'] });
        const other = await makeKey({ name: 'stays', subscribe: ['**'] });
        const stays = await follow('a', other.secret);
        const streams = await Promise.all([follow('a', secret), follow('a', secret, second.url)]);
        expect((await call(`${url}/v1/keys/${id}`, 'DELETE', ADMIN)).status).toBe(204);
        for (const stream of streams) {
          await stream.ended;
          expect(stream.events).toEqual([REVOKED]);
        }
        expect((await follow('a', secret)).status).toBe(401);
        expect((await call(`${url}/v1/keys/${id}`, 'DELETE', ADMIN)).status).toBe(404);
        await call(`${url}/v1/channels/a`, 'POST', ADMIN, { data: 1 });
        await stays.waitFor('message');
        stays.close();
      } finally {
        await second.kill();
      }
    });

    it('expires', async () => {
      const expiresAt = new Date(Date.now() + 2000).toISOString();
      const { secret } = await makeKey({ name: 'short', subscribe: ['**'], expiresAt });
      const stream = await follow('a', secret);
      await stream.ended;
      expect(stream.events).toMatchObject([{ event: 'unauthorized', data: { reason: 'expired' } }]);
      expect((await follow('a', secret)).status).toBe(401);
    });

    it('is accepted in the header only', async () => {
      const { secret } = await makeKey({ name: 'header', subscribe: ['**'] });
      const inQuery = await fetch(`${url}/stream?channel=a&token=${secret}`);
      expect([inQuery.status, await inQuery.json()]).toMatchObject([401, { code: 'invalid-token' }]);
      const inCookie = await fetch(`${url}/stream?channel=a`, {
        headers: { Cookie: `headway_token=${secret}` },
      });
      expect(inCookie.status).toBe(401);
    });

    it.each([
      'hwk_',
      'hwk_000000000000_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
      `hwk_${'a'.repeat(5000)}`,
    ])('is refused if malformed: %.30s', async (secret) => {
      expect((await follow('a', secret)).status).toBe(401);
    });

    it('is refused with a wrong secret', async () => {
      const { secret } = await makeKey({ name: 'right', subscribe: ['**'] });
      const wrong = secret.slice(0, -2) + (secret.endsWith('AA') ? 'BB' : 'AA');
      expect((await follow('a', wrong)).status).toBe(401);
    });

    it.each([
      ['no name', {}, '/name'],
      ['an invalid pattern', { name: 'x', subscribe: ['a b'] }, '/subscribe/0'],
      ['a tenant with a slash', { name: 'x', tenant: 'a/b' }, '/tenant'],
      ['an invalid time', { name: 'x', expiresAt: 'soon' }, '/expiresAt'],
      ['an unknown field', { name: 'x', scope: 'all' }, ''],
    ])('is not created with %s', async (_what, body, pointer) => {
      const answer = await call(`${url}/v1/keys`, 'POST', ADMIN, body);
      expect(answer.status).toBe(400);
      expect(await answer.json()).toMatchObject({ errors: [{ pointer }] });
    });
  });

  describe('a token', () => {
    const revoke = async (body: unknown): Promise<number> =>
      (await call(`${url}/v1/revocations`, 'POST', ADMIN, body)).status;

    it('is revoked by its text: its open stream ends, and other streams do not', async () => {
      const [mine, other] = [await sign({ n: 1 }), await sign({ n: 2 })];
      const [stream, stays] = [await follow('users.ada', mine), await follow('users.ada', other)];
      expect(await revoke({ token: mine })).toBe(204);
      await stream.ended;
      expect(stream.events).toEqual([REVOKED]);
      const again = await fetch(`${url}/stream?channel=users.ada&token=${mine}`);
      expect([again.status, await again.json()]).toMatchObject([
        401,
        { detail: 'The token has been revoked.' },
      ]);
      await call(`${url}/v1/channels/users.ada`, 'POST', ADMIN, { data: 1 });
      await stays.waitFor('message');
      stays.close();
    });

    it('is revoked by its jti', async () => {
      const stream = await follow('users.ada', await sign({ jti: 'the-lost-phone' }));
      expect(await revoke({ jti: 'the-lost-phone' })).toBe(204);
      await stream.ended;
      expect((await follow('users.ada', await sign({ jti: 'the-lost-phone' }))).status).toBe(401);
    });

    it('is revoked with all tokens issued to the user of that tenant so far', async () => {
      const before = Math.floor(Date.now() / 1000) - 10;
      const eve = { sub: 'eve', tenant: 'acme', iat: before };
      const stream = await follow('users.eve', await sign(eve));
      const namesake = await follow('users.eve', await sign({ sub: 'eve', iat: before }));
      expect(await revoke({ sub: 'eve', tenant: 'acme' })).toBe(204);
      await stream.ended;
      expect(stream.events).toEqual([REVOKED]);
      expect((await follow('users.eve', await sign(eve))).status).toBe(401);
      // A token without an issue time may be older than the revocation.
      expect((await follow('users.eve', await sign({ sub: 'eve', tenant: 'acme' }))).status).toBe(401);
      const later = await follow('users.eve', await sign({ ...eve, iat: before + 3600 }));
      expect(later.status).toBe(200);
      for (const open of [later, namesake]) {
        expect(open.events).toEqual([]);
        open.close();
      }
    });

    it('of a job is revoked', async () => {
      const job = await headway.client.start('steps', { count: 1000, intervalMs: 100 });
      const stream = await openStream(headway.client.events(job), { token: job.token });
      await stream.waitFor('waiting');
      expect(await revoke({ token: job.token })).toBe(204);
      await stream.ended;
      expect(stream.events.at(-1)).toEqual(REVOKED);
      expect((await headway.client.get(job)).status).toBe(401);
      await call(`${url}/v1/jobs/${job.id}/cancel`, 'POST', ADMIN);
    });

    it('loses its streams after a Redis outage during which it was revoked', async () => {
      const token = await sign({ jti: 'missed' });
      const stream = await follow('users.ada', token);
      // Nothing is broadcast, as if the message had been sent while the connection was down.
      await headway.connection.set('headway:{auth}:revoked:jti:missed', Date.now());
      await headway.connection.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await stream.ended;
      expect(stream.events).toEqual([REVOKED]);
    });

    it.each([
      ['nothing', {}],
      ['two things', { jti: 'a', sub: 'b' }],
      ['a tenant alone', { tenant: 'acme' }],
      ['an invalid jti', { jti: 7 }],
    ])('is not revoked by %s', async (_what, body) => {
      expect(await revoke(body)).toBe(400);
    });

    it('can be revoked only by an admin', async () => {
      for (const [token, status] of [
        [undefined, 401],
        [await sign(), 403],
        [await sign({ tenant: 'acme', headway: { admin: true } }), 403],
      ] as const) {
        expect((await call(`${url}/v1/revocations`, 'POST', token, { jti: 'x' })).status).toBe(status);
        expect((await call(`${url}/v1/keys`, 'GET', token)).status).toBe(status);
      }
    });
  });
});
