import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Headway } from '../../support/headway.js';
import { startApi } from '../../support/processes.js';
import { borrowHeadway, FRIEND } from '../../support/shared-headway.js';
import { openStream } from '../../support/sse.js';
import { signer } from '../../support/tokens.js';
import { until } from '../../support/until.js';

describe('callers over HTTP', () => {
  let headway: Headway;
  let url: string;
  let sign: ReturnType<typeof signer>;
  beforeAll(async () => {
    headway = await borrowHeadway();
    url = headway.api.url;
    sign = signer(headway.env.TOKEN_SECRET!);
  });
  afterAll(() => headway.stop());

  const STEPS = JSON.stringify({ name: 'steps', data: { count: 1, intervalMs: 1 } });
  const start = (headers: Record<string, string>): Promise<Response> =>
    fetch(`${url}/v1/jobs`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...headers },
      body: STEPS,
    });

  it.each(['headway_token', '__Host-headway_token'])('are identified by the cookie %s', async (name) => {
    const cookie = `${name}=${await sign()}`;
    const started = await start({ Cookie: cookie });
    expect(started.status).toBe(202);
    const job = (await started.json()) as { id: string };
    const stream = await openStream(`${url}/v1/jobs/${job.id}/events`, { headers: { Cookie: cookie } });
    await stream.ended;
    expect(stream.names().at(-1)).toBe('completed');
    const stranger = `${name}=${await sign({ tenant: 'other' })}`;
    const refused = await openStream(`${url}/v1/jobs/${job.id}/events`, { headers: { Cookie: stranger } });
    expect(refused.status).toBe(404);
  });

  it('can start only the kinds of job in their token, if it lists any', async () => {
    const bearer = async (jobs: string[]) => ({
      Authorization: `Bearer ${await sign({ headway: { jobs } })}`,
    });
    expect((await start(await bearer(['steps', 'checksum']))).status).toBe(202);
    const refused = await start(await bearer(['checksum']));
    expect(refused.status).toBe(403);
    expect(await refused.json()).toMatchObject({ code: 'forbidden' });
  });

  it.each([
    ['a page of another site', { 'Sec-Fetch-Site': 'cross-site', Origin: 'https://evil.example' }, 403],
    [
      'a page of another subdomain',
      { 'Sec-Fetch-Site': 'same-site', Origin: 'https://evil.app.example' },
      403,
    ],
    ['an old browser on another site', { Origin: 'https://evil.example' }, 403],
    ['a page without an origin', { Origin: 'null' }, 403],
    ['a page of an allowed origin', { 'Sec-Fetch-Site': 'cross-site', Origin: FRIEND }, 202],
    ['a page of the same origin', { 'Sec-Fetch-Site': 'same-origin' }, 202],
    ['a client other than a browser', {}, 202],
  ])('with a cookie may start a job only from a trusted origin: %s', async (_what, headers, status) => {
    const answer = await start({ Cookie: `headway_token=${await sign()}`, ...headers });
    expect(answer.status).toBe(status);
    if (status === 403) expect(await answer.json()).toMatchObject({ code: 'cross-site' });
  });

  describe.each([
    ['without a credential', {}],
    ['with a cookie', { Cookie: 'a=b' }],
    ['with a password', { Authorization: `Basic ${Buffer.from('ada:wrong').toString('base64')}` }],
  ])('%s', (_what, credential: Record<string, string>) => {
    /** The requests that a page can send to another site without a preflight, with the status for a page of our own. */
    const simple: Array<[path: string, type: string, status: number]> = [
      ['/v1/files?name=x', 'text/plain', 201],
      ['/v1/files', 'multipart/form-data; boundary=b', 201],
      ['/v1/jobs', 'text/plain', 415],
      ['/v1/jobs/steps.x/cancel', '', 404],
      ['/v1/schedules/x/run', '', 404],
      ['/v1/channels/public.x', 'application/x-www-form-urlencoded', 415],
      ['/dashboard/sign-out', '', 204],
    ];
    const body = '--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nx\r\n--b--\r\n';
    const post = (path: string, type: string, headers: Record<string, string>): Promise<Response> =>
      fetch(url + path, {
        method: 'POST',
        headers: { ...credential, ...headers, ...(type ? { 'Content-Type': type } : {}) },
        body: type ? body : null,
      });

    it.each([
      { 'Sec-Fetch-Site': 'cross-site', Origin: 'https://evil.example' },
      { 'Sec-Fetch-Site': 'same-site' },
      { 'Sec-Fetch-Site': 'nonsense' },
      { Origin: 'https://evil.example' },
      { Origin: 'null' },
    ])('cannot send a simple request from another site: %j', async (headers) => {
      for (const [path, type] of simple) {
        const answer = await post(path, type, headers as Record<string, string>);
        expect([path, answer.status]).toEqual([path, 403]);
        expect(await answer.json()).toMatchObject({ code: 'cross-site' });
      }
    });

    it('can send it from a page of our own, from an allowed origin and from another program', async () => {
      for (const headers of [{ 'Sec-Fetch-Site': 'same-origin' }, { Origin: FRIEND }, { Origin: url }, {}]) {
        for (const [path, type, status] of simple) {
          const answer = await post(path, type, headers as Record<string, string>);
          expect([path, answer.status]).toEqual([path, status]);
        }
      }
    });
  });

  it('can send any Origin with a bearer token, which no browser adds by itself', async () => {
    const Authorization = `Bearer ${await sign()}`;
    expect((await start({ Authorization, Origin: 'capacitor://localhost' })).status).toBe(202);
    expect((await start({ Authorization, Origin: 'capacitor://localhost', Cookie: 'a=b' })).status).toBe(403);
  });

  it('get Secure cookies behind a trusted TLS proxy', async () => {
    const byTls = { 'X-Forwarded-Proto': 'https' };
    const visitor = (await start(byTls)).headers.getSetCookie().join('\n');
    expect(visitor).toMatch(/^__Host-headway_visitor=[^;]+;.* Path=\/;.* Secure; SameSite=Lax$/m);
    expect(visitor.split('\n')).toHaveLength(1);
    expect((await start({})).headers.getSetCookie().join()).not.toMatch(/__Host-|Secure/);
    const wary = await startApi({ ...headway.env, TRUST_PROXY: '10.0.0.0/8, uniquelocal' });
    const headers = { 'Content-Type': 'application/json', ...byTls };
    const answer = await fetch(`${wary.url}/v1/jobs`, { method: 'POST', headers, body: STEPS });
    expect(answer.headers.getSetCookie().join()).not.toMatch(/__Host-|Secure/);
    await wary.stop();
  });

  it('are identified over TLS by cookies with a prefix only', async () => {
    const byTls = { 'X-Forwarded-Proto': 'https' };
    const token = await sign({ sub: 'only-over-tls' });
    const list = (Cookie: string): Promise<Response> =>
      fetch(`${url}/v1/events?jobs=mine`, { headers: { ...byTls, Cookie, Accept: 'application/json' } });
    // The request is complete, except for what it accepts.
    expect((await list(`__Host-headway_token=${token}`)).status).toBe(406);
    const ignored = await list(`headway_token=${token}`);
    expect([ignored.status, await ignored.json()]).toMatchObject([
      401,
      {
        code: 'sign-in',
        detail: expect.stringContaining('ignored over TLS. Set it with the name __Host-headway_token.'),
      },
    ]);
    await until('the log says so', () =>
      headway.api.output().includes('The cookie headway_token is ignored over TLS.'),
    );
    // Below no base path, another host of the domain can set this one.
    expect((await list(`__Secure-headway_token=${token}`)).status).toBe(401);
    // What another host has set cannot replace what we set.
    expect((await list(`headway_token=planted; __Host-headway_token=${token}`)).status).toBe(406);

    const [cookie = ''] = (await start(byTls)).headers.getSetCookie();
    const [, visitor = ''] = /^__Host-(headway_visitor=[^;]+);/.exec(cookie) ?? [];
    expect((await start({ ...byTls, Cookie: `__Host-${visitor}` })).headers.getSetCookie()).toEqual([]);
    for (const Cookie of [visitor, `__Secure-${visitor}`]) {
      expect((await list(Cookie)).status).toBe(401);
      expect((await start({ ...byTls, Cookie })).headers.getSetCookie()).toHaveLength(1);
    }
  });

  it('can read responses only from an allowed origin', async () => {
    const from = (origin: string) => fetch(`${url}/v1/definitions`, { headers: { Origin: origin } });
    const friend = await from(FRIEND);
    expect(friend.headers.get('access-control-allow-origin')).toBe(FRIEND);
    expect(friend.headers.get('access-control-allow-credentials')).toBe('true');
    expect((await from('https://evil.example')).headers.get('access-control-allow-origin')).toBeNull();
    const preflight = await fetch(`${url}/v1/jobs`, {
      method: 'OPTIONS',
      headers: {
        Origin: FRIEND,
        'Access-Control-Request-Method': 'POST',
        'Access-Control-Request-Headers': 'content-type',
      },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-methods')).toContain('POST');
  });

  it('can read streams from an allowed origin', async () => {
    const job = (await (await start({})).json()) as { token: string; links: { events: string } };
    const stream = await openStream(`${url}${job.links.events}`, {
      token: job.token,
      headers: { Origin: FRIEND },
    });
    expect(stream.headers['access-control-allow-origin']).toBe(FRIEND);
    await stream.ended;
  });
});
