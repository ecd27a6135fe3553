import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Headway, startHeadway } from '../../support/headway.js';
import { openStream } from '../../support/sse.js';
import { call, signer } from '../../support/tokens.js';

const ADMIN = 'an-admin-of-these-tests';
const RULES = [
  { channel: 'public.**', subscribe: 'anyone', shared: true },
  { channel: 'users.{sub}', subscribe: 'signed-in', publish: 'signed-in' },
  { channel: 'lobby', subscribe: 'anyone', publish: 'anyone' },
];

describe('tenants', () => {
  let headway: Headway;
  let url: string;
  let sign: ReturnType<typeof signer>;
  beforeAll(async () => {
    headway = await startHeadway({
      workers: 0,
      env: { ADMIN_TOKEN: ADMIN, CHANNEL_RULES: JSON.stringify(RULES) },
    });
    url = headway.api.url;
    sign = signer(headway.env.TOKEN_SECRET!);
  });
  afterAll(() => headway.stop());

  const follow = (channel: string, token?: string) =>
    openStream(`${url}/stream?channel=${encodeURIComponent(channel)}`, token ? { token } : {});
  const publish = async (channel: string, data: unknown, token?: string): Promise<number> =>
    (await call(`${url}/v1/channels/${encodeURIComponent(channel)}`, 'POST', token, { data })).status;

  it('have separate channels of the same name', async () => {
    const [acme, other, none] = [
      await sign({ tenant: 'acme' }),
      await sign({ tenant: 'other' }),
      await sign(),
    ];
    const streams = await Promise.all([acme, other, none].map((token) => follow('users.ada', token)));
    for (const [i, token] of [acme, other, none].entries()) {
      expect(await publish('users.ada', `of ${i}`, token)).toBe(200);
      await streams[i]!.waitFor('message');
    }
    await Promise.all([acme, other, none].map((token) => publish('users.ada', 'end', token)));
    for (const [i, stream] of streams.entries()) {
      await stream.waitFor(({ data }) => data === 'end');
      expect(stream.events.map(({ data }) => data)).toEqual([`of ${i}`, 'end']);
      stream.close();
    }
  });

  it('share the channels that a rule shares', async () => {
    const streams = [
      await follow('public.news', await sign({ tenant: 'acme' })),
      await follow('public.news'),
    ];
    expect(await publish('public.news', 'for all', ADMIN)).toBe(200);
    for (const stream of streams) {
      expect((await stream.waitFor('message')).data).toBe('for all');
      stream.close();
    }
  });

  it('have channels that admins and permitted tokens can address as tenant/channel', async () => {
    const acme = await follow('users.ada', await sign({ tenant: 'acme' }));
    expect(await publish('acme/users.ada', 'from an admin', ADMIN)).toBe(200);
    const server = await sign({ sub: 'server', headway: { publish: ['acme/**'], subscribe: ['**'] } });
    expect(await publish('acme/users.ada', 'from a server', server)).toBe(200);
    await acme.waitFor(({ data }) => data === 'from a server');
    expect(acme.events.map(({ data }) => data)).toEqual(['from an admin', 'from a server']);
    acme.close();
    // A wildcard does not match the channels of a tenant.
    expect((await follow('acme/users.ada', server)).status).toBe(403);
    expect((await follow('acme/users.ada', await sign())).status).toBe(403);
    expect((await follow('acme/lobby')).status).toBe(401);
  });

  it.each([
    ['another tenant by its name', 'other/users.ada', 403],
    ['another tenant by a longer name', 'acme2/users.ada', 403],
    ['an empty tenant', '/users.ada', 400],
    ['a parent folder', '../other/users.ada', 400],
    ['two at once', 'acme/other/users.ada', 400],
    ['another tenant, encoded twice', 'other%2Fusers.ada', 400],
  ])('cannot be escaped: %s', async (_what, channel, status) => {
    const token = await sign({ tenant: 'acme', headway: { subscribe: ['**', 'other/**'], publish: ['**'] } });
    expect((await follow(channel, token)).status).toBe(status);
    expect(await publish(channel, 1, token)).toBe(status);
  });

  it.each(['a/b', '', '{x}', 'a\nb', 'a b', '*', 'x'.repeat(101), 7])(
    'have no name like %j',
    async (tenant) => {
      expect((await follow('lobby', await sign({ tenant }))).status).toBe(401);
    },
  );

  it('are distinguished even if the name of one and a sub look like the sub of another', async () => {
    const job = await call(`${url}/v1/jobs`, 'POST', await sign({ sub: 'ada', tenant: 'acme' }), {
      name: 'steps',
      data: { count: 1, intervalMs: 1 },
    });
    const { links } = (await job.json()) as { links: { self: string } };
    const statusOf = async (claims: Record<string, unknown>): Promise<number> =>
      (await call(`${url}${links.self}`, 'GET', await sign(claims))).status;
    expect(await statusOf({ sub: 'ada', tenant: 'acme' })).toBe(200);
    expect(await statusOf({ sub: 'acme/ada' })).toBe(404);
    expect(await statusOf({ sub: 'tenant:acme/ada' })).toBe(404);
    expect(await statusOf({ sub: 'ada', tenant: 'other' })).toBe(404);
    expect(await statusOf({ sub: 'boss', tenant: 'acme', headway: { admin: true } })).toBe(200);
    expect(await statusOf({ sub: 'boss', tenant: 'acm', headway: { admin: true } })).toBe(404);
    expect(await statusOf({ sub: 'boss', headway: { admin: true } })).toBe(200);
  });
});
