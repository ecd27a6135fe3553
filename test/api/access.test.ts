import { createSecretKey } from 'node:crypto';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StartedJob } from '../support/client.js';
import { ADMIN_TOKEN } from '../support/dashboard.js';
import type { Headway } from '../support/headway.js';
import { borrowHeadway } from '../support/shared-headway.js';
import { openStream } from '../support/sse.js';
import { bearer, signer } from '../support/tokens.js';

describe('the owner of a job', () => {
  let headway: Headway;
  beforeAll(async () => {
    headway = await borrowHeadway();
  });
  afterAll(() => headway.stop());

  type Headers = Record<string, string>;
  const basic = (pair: string): Headers => ({
    Authorization: `Basic ${Buffer.from(pair).toString('base64')}`,
  });
  const jwt = (subject: string, claims = {}): Promise<string> =>
    signer(headway.env.TOKEN_SECRET!)({ ...claims, sub: subject });

  async function start(headers: Headers = {}): Promise<{ job: StartedJob; visitor: Headers }> {
    const body = { name: 'steps', data: { count: 1, intervalMs: 1 }, options: { delayMs: 600_000 } };
    const response = await headway.client.post(body, headers);
    expect(response.status).toBe(202);
    const cookie = response.headers.getSetCookie().find((text) => text.startsWith('headway_visitor='));
    return {
      job: (await response.json()) as StartedJob,
      visitor: cookie ? { Cookie: cookie.split(';')[0]! } : {},
    };
  }
  const getJob = (job: { links: { self: string } }, headers: Headers = {}, query = ''): Promise<Response> =>
    fetch(`${headway.api.url}${job.links.self}${query}`, { headers });
  const status = async (...args: Parameters<typeof getJob>): Promise<number> =>
    (await getJob(...args)).status;

  it('has access without the token, by the visitor cookie, which is set once', async () => {
    const { job, visitor } = await start();
    expect(await status(job, visitor)).toBe(200);
    const again = await start(visitor);
    expect(again.visitor).toEqual({});
    expect(await status(again.job, visitor)).toBe(200);
    const stream = await openStream(headway.client.events(job), { headers: visitor });
    await stream.waitFor('delayed');
    stream.close();
    const cancelled = await fetch(`${headway.api.url}${job.links.cancel}`, {
      method: 'POST',
      headers: visitor,
    });
    expect(cancelled.status).toBe(200);
  });

  it('gets a cookie that neither scripts nor other sites can use', async () => {
    const response = await headway.client.post({ name: 'steps', data: { count: 1, intervalMs: 1 } });
    const cookie = response.headers.getSetCookie().find((text) => text.startsWith('headway_visitor='));
    expect(cookie).toMatch(/^headway_visitor=[\w-]{27}; .*Path=\/;.*HttpOnly.*SameSite=Lax/);
  });

  it('has access with any token of the same user', async () => {
    const { job, visitor } = await start(bearer(await jwt('ada')));
    expect(visitor).toEqual({});
    expect(await status(job, bearer(await jwt('ada', { other: 1 })))).toBe(200);
    expect(await status(job, {}, `?token=${await jwt('ada')}`)).toBe(200);
  });

  it('may send the job token anywhere in the query, next to another token or a bearer token', async () => {
    const { job } = await start();
    const { job: other } = await start();
    const grace = await jwt('grace');
    expect(await status(job, bearer(grace), `?token=${job.token}`)).toBe(200);
    expect(await status(job, bearer(other.token), `?token=${job.token}`)).toBe(200);
    expect(await status(job, {}, `?token=${other.token}&token=${job.token}`)).toBe(200);
    expect(await status(job, bearer(grace), `?token=${other.token}`)).toBe(404);
    expect(await status(job, bearer(grace), '?token=none')).toBe(401);
  });

  it('needs nothing else as an admin, by Bearer, Basic or JWT', async () => {
    for (const { job } of [await start(), await start(bearer(await jwt('ada')))]) {
      expect(await status(job, bearer(ADMIN_TOKEN))).toBe(200);
      expect(await status(job, basic(`anybody:${ADMIN_TOKEN}`))).toBe(200);
      expect(await status(job, bearer(await jwt('grace', { headway: { admin: true } })))).toBe(200);
    }
  });

  it('does not get the data of the job, which only an admin gets', async () => {
    const { job, visitor } = await start();
    const { job: adas } = await start(bearer(await jwt('ada')));
    const body = async (...args: Parameters<typeof getJob>): Promise<{ data?: unknown }> =>
      (await (await getJob(...args)).json()) as { data?: unknown };
    const data = { count: 1, intervalMs: 1 };
    expect(await body(job, bearer(ADMIN_TOKEN), '?include=data')).toMatchObject({ id: job.id, data });
    expect(await body(adas, bearer(ADMIN_TOKEN), '?include=data')).toMatchObject({ id: adas.id, data });
    expect((await body(job, bearer(ADMIN_TOKEN))).data).toBeUndefined();
    expect((await body(job, visitor, '?include=data')).data).toBeUndefined();
    expect((await body(job, {}, `?token=${job.token}&include=data`)).data).toBeUndefined();
    expect((await body(adas, bearer(await jwt('ada')), '?include=data')).data).toBeUndefined();
    expect(await status(job, bearer(ADMIN_TOKEN), '?include=everything')).toBe(400);
  });

  it.each([
    ['the query', {}, `?token=${ADMIN_TOKEN}`],
    ['the query, next to the password', basic(`:${ADMIN_TOKEN}`), `?token=${ADMIN_TOKEN}`],
    ['a cookie', { Cookie: `headway_token=${ADMIN_TOKEN}` }, ''],
  ])('cannot send the admin token in %s', async (_where, headers: Headers, query) => {
    const { api, client } = headway;
    const { id, links } = (await start()).job;
    for (const path of [
      links.self,
      links.events,
      links.result,
      '/v1/jobs',
      `/v1/events?job=${id}`,
      '/stream?channel=news.x',
      '/v1/dashboard/events',
      '/v1/keys',
      '/admin/queues',
      '/admin/queues/api/queues',
      '/dashboard/sign-in',
    ]) {
      const target = path.includes('?') ? `${path}${query.replace('?', '&')}` : `${path}${query}`;
      const response = await fetch(`${api.url}${target}`, { headers, redirect: 'manual' });
      expect([path, response.status]).toEqual([path, 401]);
      expect(await response.json()).toMatchObject({
        code: 'invalid-token',
        detail: expect.stringContaining('Send the admin token as Authorization: Bearer'),
      });
    }
    expect((await client.post({ name: 'steps', data: {} }, headers)).status).toBe(query ? 422 : 401);
  });

  it('is not recognised without credentials, or by another cookie, user or password: each gets 404', async () => {
    const visited = await start();
    const signedIn = await start(bearer(await jwt('ada')));
    const other = await start();
    const strangers: Headers[] = [
      {},
      other.visitor,
      { Cookie: 'headway_visitor=short' },
      bearer(other.job.token),
      bearer(await jwt('grace')),
      bearer(await jwt('ada2')),
      basic('ada:not the password'),
      basic(ADMIN_TOKEN),
    ];
    const nowhere = { links: { self: '/v1/jobs/steps.00000000-0000-4000-8000-000000000000' } };
    /** What a problem says, except for the request that it answers. */
    const problemOf = async (response: Response): Promise<unknown> => ({
      ...((await response.json()) as object),
      instance: undefined,
      requestId: undefined,
    });
    const expected = await problemOf(await getJob(nowhere));
    for (const { job } of [visited, signedIn]) {
      for (const headers of strangers) {
        const response = await getJob(job, headers);
        expect([response.status, headers]).toEqual([404, headers]);
        // The response is the same as for a job that does not exist.
        expect(await problemOf(response)).toEqual(expected);
      }
    }
    // An invalid claim makes the token invalid.
    expect(await status(signedIn.job, bearer(await jwt('grace', { headway: { admin: 'yes' } })))).toBe(401);
    // A visitor cookie with the internal id of a user does not identify that user.
    expect(await status(signedIn.job, { Cookie: 'headway_visitor=user:ada' })).toBe(404);
  });

  it('refuses a token signed with another secret, and an expired one', async () => {
    const { job } = await start(bearer(await jwt('ada')));
    const forged = await new SignJWT({})
      .setProtectedHeader({ alg: 'HS256' })
      .setSubject('ada')
      .setAudience('headway')
      .setExpirationTime('1h')
      .sign(createSecretKey(Buffer.from('another secret that is long enough!!')));
    expect(await status(job, bearer(forged))).toBe(401);
  });

  it('is not kept from signing in by the password of a proxy, which is passed on with every request', async () => {
    const from = { 'X-Forwarded-For': '203.0.113.211' };
    const foreign = { ...from, ...basic('ada:the password of the proxy') };
    const call = (method: string, path: string, headers: Headers, body?: object): Promise<Response> =>
      fetch(`${headway.api.url}${path}`, {
        method,
        redirect: 'manual',
        headers: { ...headers, ...(body ? { 'Content-Type': 'application/json' } : {}) },
        ...(body ? { body: JSON.stringify(body) } : {}),
      });
    const both = (headers: Headers) =>
      Promise.all([
        call('GET', '/v1/jobs', headers),
        call('POST', '/v1/channels/public.proxied', headers, { data: 1 }),
      ]);
    const anonymous = (await both(from)).map(({ status }) => status);
    expect(anonymous).toEqual([200, 200]);
    for (let i = 0; i < 5; i++) {
      const answers = await Promise.all(Array.from({ length: 20 }, () => both(foreign)));
      expect(new Set(answers.map((each) => each.map(({ status }) => status).join()))).toEqual(
        new Set([anonymous.join()]),
      );
    }
    const admin = basic(`:${ADMIN_TOKEN}`);
    expect((await call('GET', '/dashboard/sign-in', { ...from, ...admin })).status).toBe(303);
    const ended = {
      ...from,
      ...admin,
      Cookie: `headway_token=${await jwt('ada', { headway: { adminToken: 'x' } })}`,
    };
    expect((await call('GET', '/v1/keys', ended)).status).toBe(200);
    expect((await call('GET', '/v1/keys', { ...from, ...bearer(ADMIN_TOKEN) })).status).toBe(200);
    expect((await call('GET', '/v1/keys', foreign)).status).toBe(401);
  });

  it('returns 401 for admin requests if unauthenticated, and 403 to other users', async () => {
    const list = `${headway.api.url}/v1/jobs?owner=user:somebody`;
    const { visitor } = await start();
    for (const headers of [{}, visitor, basic('ada:wrong')]) {
      const response = await fetch(list, { headers });
      expect(response.status).toBe(401);
      expect(response.headers.get('www-authenticate')).toBe('Bearer');
      expect(await response.json()).toMatchObject({ code: 'sign-in' });
    }
    const known = await fetch(list, { headers: bearer(await jwt('ada')) });
    expect(known.status).toBe(403);
    expect(await known.json()).toMatchObject({ code: 'forbidden' });
    expect((await fetch(list, { headers: basic(`:${ADMIN_TOKEN}`) })).status).toBe(200);
  });
});
