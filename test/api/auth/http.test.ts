import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Headway } from '../../support/headway.js';
import { startApi } from '../../support/processes.js';
import { borrowHeadway, FRIEND } from '../../support/shared-headway.js';
import { openStream } from '../../support/sse.js';
import { signer } from '../../support/tokens.js';

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

  it('get Secure cookies behind a trusted TLS proxy', async () => {
    const byTls = { 'X-Forwarded-Proto': 'https' };
    const visitor = (await start(byTls)).headers.getSetCookie().join('\n');
    expect(visitor).toMatch(/^__Host-headway_visitor=[^;]+;.* Path=\/;.* Secure; SameSite=Lax$/m);
    expect(visitor).toMatch(/^headway_job=.*; Secure; SameSite=Lax$/m);
    expect((await start({})).headers.getSetCookie().join()).not.toMatch(/__Host-|Secure/);
    const wary = await startApi({ ...headway.env, TRUST_PROXY: '10.0.0.0/8, uniquelocal' });
    const headers = { 'Content-Type': 'application/json', ...byTls };
    const answer = await fetch(`${wary.url}/v1/jobs`, { method: 'POST', headers, body: STEPS });
    expect(answer.headers.getSetCookie().join()).not.toMatch(/__Host-|Secure/);
    await wary.stop();
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
