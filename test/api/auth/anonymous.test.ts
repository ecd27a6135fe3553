import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientOf, type StartedJob } from '../../support/client.js';
import { Contract } from '../../support/contract.js';
import { ADMIN_TOKEN } from '../../support/dashboard.js';
import type { Headway } from '../../support/headway.js';
import { startApi, type TestProcess } from '../../support/processes.js';
import { schedulesOf, userToken } from '../../support/schedules.js';
import { borrowHeadway } from '../../support/shared-headway.js';
import { openStream } from '../../support/sse.js';
import { bearer } from '../../support/tokens.js';

const STEPS = { name: 'steps', data: { count: 1, intervalMs: 1 } };
const FAILING = { name: 'steps', data: { count: 1, intervalMs: 0, failAt: 1 } };
/** Operations outside of the API proper: health checks and the reference. */
const ALWAYS_OPEN = ['health', 'readiness', 'openapi', 'asyncapi'];

/** An installation to which visitors and users had access before it was restricted. */
describe('without a token', () => {
  let headway: Headway;
  let watch: TestProcess;
  let deny: TestProcess;
  let user: Record<string, string>;
  /** A visitor who has started a job and made a schedule. */
  let visitor: Record<string, string>;
  let visitorJob: StartedJob;
  let userJob: StartedJob;
  let schedule: { id: string };

  const send = (
    url: string,
    method: string,
    path: string,
    headers: Record<string, string> = {},
    body?: unknown,
  ) =>
    fetch(`${url}${path}`, {
      method,
      headers: { ...headers, ...(body ? { 'Content-Type': 'application/json' } : {}) },
      body: body ? JSON.stringify(body) : null,
      redirect: 'manual',
    });
  const ended = async (job: StartedJob): Promise<StartedJob> => {
    await (await openStream(headway.client.events(job), { token: job.token })).ended;
    return job;
  };

  beforeAll(async () => {
    headway = await borrowHeadway();
    const exposed = { NODE_ENV: 'production', HOST: '0.0.0.0', LOG_LEVEL: 'info' };
    [watch, deny] = await Promise.all([
      startApi({ ...headway.env, ANONYMOUS: 'watch', LOG_LEVEL: 'info' }),
      startApi({ ...headway.env, ...exposed }),
    ]);
    user = bearer(await userToken(headway, 'ada'));
    const first = await headway.client.post(FAILING);
    const cookie = first.headers.getSetCookie().find((each) => each.startsWith('headway_visitor'))!;
    visitor = { Cookie: cookie.split(';')[0]! };
    visitorJob = await ended((await first.json()) as StartedJob);
    userJob = await ended((await (await headway.client.post(FAILING, user)).json()) as StartedJob);
    const made = await send(headway.api.url, 'POST', '/v1/schedules', visitor, {
      ...STEPS,
      cron: '0 0 1 1 *',
    });
    schedule = (await made.json()) as { id: string };
  });
  afterAll(async () => {
    await Promise.all([watch.stop(), deny.stop()]);
    await headway.stop();
  });

  describe('ANONYMOUS=watch', () => {
    it('refuses to start jobs, to upload, and to make or change schedules', async () => {
      const attempts: Array<[string, string, unknown?]> = [
        ['POST', '/v1/jobs', STEPS],
        ['POST', '/v1/jobs:batch', { jobs: [STEPS], mode: 'per-item' }],
        ['POST', '/v1/files?name=a.txt', 'a file'],
        ['POST', '/v1/schedules', { ...STEPS, everyMs: 60_000 }],
        ['PATCH', `/v1/schedules/${schedule.id}`, { data: STEPS.data }],
        ['POST', `/v1/schedules/${schedule.id}/resume`],
        ['POST', `/v1/schedules/${schedule.id}/run`],
        ['POST', `/v1/jobs/${visitorJob.id}/retry`],
      ];
      for (const caller of [{}, visitor, { ...visitor, ...bearer(visitorJob.token) }]) {
        for (const [method, path, body] of attempts) {
          // Somebody else's schedules and jobs are not found.
          if (!('Cookie' in caller) && /schedules\/|retry/.test(path)) continue;
          const response = await send(watch.url, method, path, caller, body);
          expect([path, response.status, await response.json()]).toEqual([
            path,
            401,
            expect.objectContaining({ code: 'sign-in', detail: expect.stringMatching(/^Sign in: /) }),
          ]);
        }
      }
    });

    it('lets visitors watch, and stop what they have started', async () => {
      const list = await send(watch.url, 'GET', '/v1/jobs?state=failed', visitor);
      expect(await list.json()).toMatchObject({ jobs: [{ id: visitorJob.id }] });
      const stream = await openStream(`${watch.url}${visitorJob.links.events}`, { token: visitorJob.token });
      await stream.ended;
      expect(stream.names().at(-1)).toBe('failed');
      const open = await openStream(`${watch.url}/stream?channel=public.news`);
      expect(open.status).toBe(200);
      open.close();
      const published = await send(watch.url, 'POST', '/v1/channels/public.news', {}, { data: 'hello' });
      expect(published.status).toBe(200);
      expect((await send(watch.url, 'POST', `/v1/schedules/${schedule.id}/pause`, visitor)).status).toBe(200);
    });

    it('says in the list of kinds whether the caller may start them', async () => {
      const startable = async (headers: Record<string, string>): Promise<unknown[]> => {
        const response = await send(watch.url, 'GET', '/v1/definitions', headers);
        const { definitions } = (await response.json()) as { definitions: Array<{ startable: boolean }> };
        return [...new Set(definitions.map((kind) => kind.startable))];
      };
      expect(await startable(visitor)).toEqual([false]);
      expect(await startable(user)).toEqual([true]);
    });

    it('changes nothing for callers with a token', async () => {
      const client = clientOf(watch.url);
      expect((await client.post(STEPS, { ...user, ...visitor })).status).toBe(202);
      const upload = await send(watch.url, 'POST', '/v1/files?name=a.txt', user, 'a file');
      expect(upload.status).toBe(201);
      // The token of a user's job is that user's permission. An admin may run a visitor's job again.
      expect((await client.retry(userJob)).status).toBe(202);
      const again = await send(watch.url, 'POST', `/v1/jobs/${visitorJob.id}/retry`, bearer(ADMIN_TOKEN));
      expect(again.status).toBe(202);
      const { id } = await schedulesOf(headway, await userToken(headway, 'ada'), watch.url).make({
        ...STEPS,
        cron: '0 0 1 1 *',
      });
      expect((await send(watch.url, 'POST', `/v1/schedules/${id}/run`, user)).status).toBe(202);
    });
  });

  describe('ANONYMOUS=deny', () => {
    it('is the default in production with a host that others can reach, and is logged', () => {
      const text = 'ANONYMOUS=deny (the default with NODE_ENV=production and HOST=0.0.0.0)';
      expect(deny.output()).toContain(text);
      expect(watch.output()).toContain(
        'ANONYMOUS=watch (as configured): callers without a token may only watch',
      );
    });

    it('refuses every operation without a token', async () => {
      const contract = new Contract(await (await fetch(`${deny.url}/openapi.json`)).json());
      const closed = contract.operations.filter(({ id }) => !ALWAYS_OPEN.includes(id));
      expect(closed.length).toBeGreaterThan(20);
      for (const { id, method, path } of closed) {
        const at = path.replace('/v1/jobs/{id}', `/v1/jobs/${visitorJob.id}`).replace(/\{\w+\}/, schedule.id);
        const query = path === '/v1/events' ? '?jobs=mine' : '';
        for (const caller of [{}, visitor]) {
          const response = await send(
            deny.url,
            method.toUpperCase(),
            at + query,
            caller,
            method === 'get' ? undefined : {},
          );
          expect([id, response.status, await response.json()]).toEqual([
            id,
            401,
            expect.objectContaining({ code: 'sign-in' }),
          ]);
        }
      }
    });

    it('keeps health checks, pages and the reference open', async () => {
      for (const path of [
        '/healthz',
        '/readyz',
        '/',
        '/dashboard',
        '/docs',
        '/openapi.json',
        '/client/index.js',
      ]) {
        expect([path, (await fetch(`${deny.url}${path}`)).status]).toEqual([path, 200]);
      }
    });

    it('accepts the token of a job for that job, wherever it is sent', async () => {
      const { id, token } = visitorJob;
      const sent: Array<[string, Record<string, string>]> = [
        ['', bearer(token)],
        [`?token=${token}`, {}],
        ['', { 'Headway-Job-Tokens': token }],
      ];
      for (const [query, headers] of sent) {
        expect((await send(deny.url, 'GET', `/v1/jobs/${id}${query}`, headers)).status).toBe(200);
        expect((await send(deny.url, 'GET', `/v1/jobs/${userJob.id}${query}`, headers)).status).toBe(404);
        expect((await send(deny.url, 'POST', `/v1/jobs${query}`, headers, STEPS)).status).toBe(401);
      }
      const list = await send(deny.url, 'GET', '/v1/jobs', { ...visitor, ...bearer(token) });
      expect(await list.json()).toEqual({ jobs: [] });
      expect((await clientOf(deny.url).post(STEPS, user)).status).toBe(202);
    });
  });
});
