import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StartedJob } from '../../support/client.js';
import { ADMIN_TOKEN } from '../../support/dashboard.js';
import type { Headway } from '../../support/headway.js';
import { borrowHeadway } from '../../support/shared-headway.js';
import { openStream } from '../../support/sse.js';
import { bearer, call, signer } from '../../support/tokens.js';
import { zipOf } from '../../support/zip.js';

const STEPS = { name: 'steps', data: { count: 1, intervalMs: 1 } };
const YEARLY = { cron: '0 0 1 1 *' };
const PIXEL =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

describe('a token that is restricted to kinds of job', () => {
  let headway: Headway;
  let url: string;
  /** The same user with and without a restriction, and a visitor. */
  let free: string;
  let onlySteps: string;
  let visitor: string;
  const sign = (jobs?: string[], admin?: boolean): Promise<string> =>
    signer(headway.env.TOKEN_SECRET!)({ sub: 'restricted-ada', headway: { jobs, admin } });
  const outcome = async (response: Promise<Response>): Promise<unknown[]> => {
    const answer = await response;
    return [answer.status, ((await answer.json()) as { code?: string }).code];
  };
  const forbidden = [403, 'forbidden'];
  const post = (token: string | undefined, path: string, body?: unknown) =>
    call(`${url}${path}`, 'POST', token, body);
  const started = async (token: string, body: unknown): Promise<StartedJob> =>
    (await (await post(token, '/v1/jobs', body)).json()) as StartedJob;
  const ended = async (job: StartedJob): Promise<StartedJob> => {
    await (await openStream(headway.client.events(job), { token: job.token })).ended;
    return job;
  };

  beforeAll(async () => {
    headway = await borrowHeadway();
    url = headway.api.url;
    [free, onlySteps] = await Promise.all([sign(), sign(['steps'])]);
    const first = await headway.client.post(STEPS);
    visitor = first.headers
      .getSetCookie()
      .find((each) => each.startsWith('headway_visitor'))!
      .split(';')[0]!;
  });
  afterAll(() => headway.stop());

  it('holds for a start, a batch and a new schedule', async () => {
    const other = { name: 'flaky', data: { failures: 0 } };
    expect(await outcome(post(onlySteps, '/v1/jobs', other))).toEqual(forbidden);
    expect((await post(onlySteps, '/v1/jobs', STEPS)).status).toBe(202);
    const jobs = [STEPS, other];
    expect(await outcome(post(onlySteps, '/v1/jobs:batch', { jobs }))).toEqual(forbidden);
    const items = await (await post(onlySteps, '/v1/jobs:batch', { jobs, mode: 'per-item' })).json();
    expect(items).toMatchObject({ jobs: [{ name: 'steps' }, { error: { code: 'forbidden' } }] });
    expect(await outcome(post(onlySteps, '/v1/schedules', { ...other, ...YEARLY }))).toEqual(forbidden);
    expect((await post(onlySteps, '/v1/schedules', { ...STEPS, ...YEARLY })).status).toBe(201);
  });

  it('holds for a schedule of another kind, which can still be stopped', async () => {
    const body = { name: 'flaky', data: { failures: 0 }, ...YEARLY };
    const { id } = (await (await post(free, '/v1/schedules', body)).json()) as { id: string };
    const at = `/v1/schedules/${id}`;
    expect(await outcome(call(`${url}${at}`, 'PATCH', onlySteps, { data: { failures: 1 } }))).toEqual(
      forbidden,
    );
    expect(await outcome(post(onlySteps, `${at}/run`))).toEqual(forbidden);
    expect(await outcome(post(onlySteps, `${at}/resume`))).toEqual(forbidden);
    expect((await post(onlySteps, `${at}/pause`)).status).toBe(200);
    expect((await call(`${url}${at}`, 'DELETE', onlySteps)).status).toBe(204);
  });

  it('holds for a retry of an own job that was started without it', async () => {
    const other = await ended(await started(free, { name: 'flaky', data: { failures: 9, permanent: true } }));
    expect(await outcome(post(onlySteps, `${other.links.self}/retry`))).toEqual(forbidden);
    const steps = await ended(
      await started(free, { ...STEPS, data: { count: 1, intervalMs: 0, failAt: 1 } }),
    );
    expect((await post(onlySteps, `${steps.links.self}/retry`)).status).toBe(202);
  });

  it('holds for a request that has further credentials, which alone would allow more', async () => {
    const own = await started(free, STEPS);
    const other = JSON.stringify({ name: 'flaky', data: { failures: 0 } });
    const json = { 'Content-Type': 'application/json' };
    for (const credentials of [
      { ...bearer(onlySteps), Cookie: visitor },
      { Cookie: `${visitor}; headway_token=${onlySteps}` },
      // The token of a job does not identify the caller.
      { ...bearer(own.token), Cookie: `${visitor}; headway_token=${onlySteps}` },
    ]) {
      const headers = { ...json, ...credentials };
      expect(await outcome(fetch(`${url}/v1/jobs`, { method: 'POST', headers, body: other }))).toEqual(
        forbidden,
      );
    }
  });

  it('lets a permitted job start the children that its definition names, and run them again', async () => {
    const zip = await zipOf({
      'good.png': Buffer.from(PIXEL, 'base64'),
      'bad.jpg': Buffer.from('ffd8ffe000104a464946', 'hex'),
    });
    const { id: file } = await headway.client.upload('images.zip', zip);
    const onlyParents = await sign(['image-variants']);
    const data = { file, variants: [{ width: 1, format: 'png' }] };
    expect(await outcome(post(onlyParents, '/v1/jobs', { name: 'image-variant', data }))).toEqual(forbidden);
    const parent = await started(onlyParents, { name: 'image-variants', data });
    const stream = await openStream(headway.client.events(parent), { token: parent.token });
    await stream.ended;
    expect(stream.events.at(-1)).toMatchObject({ event: 'completed', data: { result: { images: 1 } } });
    const list = await call(`${url}/v1/jobs?state=failed&name=image-variant`, 'GET', onlyParents);
    const { jobs } = (await list.json()) as { jobs: StartedJob[] };
    expect(jobs).toHaveLength(1);
    expect(await outcome(post(onlySteps, `${jobs[0]!.links.self}/retry`))).toEqual(forbidden);
    expect((await post(onlyParents, `${jobs[0]!.links.self}/retry`)).status).toBe(202);
  });

  it('is not an admin, who could create a key without the restriction', async () => {
    const restricted = await sign(['steps'], true);
    const key = { name: 'all', subscribe: [], publish: [] };
    expect(await outcome(post(restricted, '/v1/keys', key))).toEqual(forbidden);
    expect((await call(`${url}/admin/queues`, 'GET', restricted)).status).toBe(403);
    const both = await post(ADMIN_TOKEN, '/v1/keys', { name: 'both', admin: true, jobs: ['steps'] });
    expect([both.status, await both.json()]).toEqual([
      400,
      expect.objectContaining({
        code: 'invalid-request',
        errors: [expect.objectContaining({ pointer: '/jobs' })],
      }),
    ]);
  });

  it('is reported once in the log if anonymous callers may start any job', () => {
    const lines = headway.api
      .output()
      .split('\n')
      .filter((line) => line.includes('restricted to kinds of job was used'));
    expect(lines).toHaveLength(1);
  });
});
