import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { visitorPrincipal } from '../../../src/api/auth/principal.js';
import steps from '../../../src/worker/jobs/steps.js';
import { checkScheduledData } from '../../../src/worker/run/contract.js';
import { type PlainBullMq, plainBullMq } from '../../support/bullmq.js';
import { ADMIN_TOKEN } from '../../support/dashboard.js';
import type { Headway } from '../../support/headway.js';
import { userToken } from '../../support/schedules.js';
import { borrowHeadway } from '../../support/shared-headway.js';
import { bearer } from '../../support/tokens.js';
import { until } from '../../support/until.js';

const HOUR_MS = 3_600_000;
const hours = (count: number) => ({ count, intervalMs: HOUR_MS });
const LATER = { delayMs: 30 * 24 * HOUR_MS };
const YEARLY = { cron: '0 0 1 1 *' };
const FILE = `file_${'A'.repeat(27)}`;

interface Problem {
  code?: string;
  detail?: string;
  errors?: Array<{ pointer: string }>;
}

describe('the limits of a kind of job', () => {
  let headway: Headway;
  let bullmq: PlainBullMq;
  let user: Record<string, string>;
  const admin = bearer(ADMIN_TOKEN);
  const visitor = 'a-visitor-of-27-characters!'.replace('!', '_');
  const asVisitor = { Cookie: `headway_visitor=${visitor}` };

  beforeAll(async () => {
    headway = await borrowHeadway();
    bullmq = plainBullMq(headway);
    user = bearer(await userToken(headway, 'ada'));
  });
  afterAll(async () => {
    await bullmq.close();
    await headway.stop();
  });

  const send = (method: string, path: string, headers: Record<string, string>, body?: unknown) =>
    fetch(`${headway.api.url}${path}`, {
      method,
      headers: { 'Content-Type': 'application/json', ...headers },
      body: body === undefined ? null : JSON.stringify(body),
    });
  /** Returns the outcome of a call: a status below 400, or what was refused. */
  async function outcome(pending: Promise<Response>): Promise<unknown> {
    const response = await pending;
    if (response.status < 400) return response.status;
    const { code, errors } = (await response.json()) as Problem;
    return [response.status, code, errors?.[0]?.pointer];
  }
  const exceeds = (pointer: string) => [422, 'limit-exceeded', pointer];

  it.each([
    ['steps', hours(1), hours(2), hours(25), '/data/count'],
    ['steps', hours(1), hours(24), hours(1_000_000), '/data/count'],
    [
      'mandelbrot',
      { width: 1000, height: 1000, iterations: 100_000 },
      { width: 1000, height: 1000, iterations: 1_000_000, tile: 96 },
      { width: 4096, height: 4096, iterations: 1_000_000, tile: 96 },
      '/data/iterations',
    ],
  ])('of %s depend on the caller', async (name, small, large, huge, pointer) => {
    const start = (headers: Record<string, string>, data: unknown) =>
      outcome(send('POST', '/v1/jobs', headers, { name, data, options: LATER }));
    expect(await Promise.all([small, large, huge].map((data) => start({}, data)))).toEqual([
      202,
      exceeds(pointer),
      exceeds(pointer),
    ]);
    expect(await Promise.all([large, huge].map((data) => start(user, data)))).toEqual([
      202,
      exceeds(pointer),
    ]);
    expect(await start(admin, huge)).toBe(202);
  });

  it.each([
    ['twenty variants', Array.from({ length: 20 }, () => ({ format: 'png' })), '/data/variants'],
    ['a huge variant', [{ format: 'avif', width: 10_000 }], '/data/variants/0/width'],
  ])('refuse %s of an image to anonymous callers', async (_what, variants, pointer) => {
    for (const name of ['image-variants', 'image-variant']) {
      const body = { name, data: { file: FILE, variants } };
      expect(await outcome(send('POST', '/v1/jobs', {}, body))).toEqual(exceeds(pointer));
      // Found only after the limits: there is no such file.
      expect(await outcome(send('POST', '/v1/jobs', user, body))).toEqual([
        422,
        'unknown-file',
        '/data/file',
      ]);
    }
  });

  it('hold for the time limit of an anonymous caller, and say how to get more', async () => {
    const body = (timeoutMs: number) => ({ name: 'steps', data: hours(0), options: { timeoutMs } });
    const day = 24 * HOUR_MS;
    expect((await send('POST', '/v1/jobs', {}, body(day))).status).toBe(202);
    const refused = await send('POST', '/v1/jobs', {}, body(day + 1));
    expect(await refused.json()).toMatchObject({
      code: 'limit-exceeded',
      detail: `/options/timeoutMs: must be at most ${day} if unauthenticated. Callers with a token may ask for more.`,
    });
    expect((await send('POST', '/v1/jobs', user, body(day + 1))).status).toBe(202);
  });

  it('hold for batches and schedules, and for changes of schedules by their owner', async () => {
    const large = { name: 'steps', data: hours(2) };
    const jobs = [{ name: 'steps', data: hours(0) }, large];
    expect(await outcome(send('POST', '/v1/jobs:batch', asVisitor, { jobs }))).toEqual(
      exceeds('/jobs/1/data/count'),
    );
    expect(await outcome(send('POST', '/v1/schedules', asVisitor, { ...large, ...YEARLY }))).toEqual(
      exceeds('/data/count'),
    );
    const made = await send('POST', '/v1/schedules', asVisitor, { ...jobs[0], ...YEARLY });
    const { id } = (await made.json()) as { id: string };
    const change = (headers: Record<string, string>) =>
      outcome(send('PATCH', `/v1/schedules/${id}`, headers, { data: large.data }));
    expect(await change(asVisitor)).toEqual(exceeds('/data/count'));
    // The runs are the visitor's, and a worker would refuse them.
    expect(await change(admin)).toEqual(exceeds('/data/count'));
  });

  it('hold for retries, and for the runs of a schedule that was made before', async () => {
    const owner = visitorPrincipal(visitor).id;
    const add = (data: unknown, settings: object) =>
      bullmq
        .queue('steps')
        .add('steps', data, { jobId: `steps.${randomUUID()}`, attempts: 1, headway: settings } as never);
    // A job from before the limits, which fails in its first step.
    const old = await add({ ...hours(2), intervalMs: 0, failAt: 1 }, { owner });
    const path = `/v1/jobs/${old.id}`;
    await until('it has failed', async () => {
      const { state } = (await (await send('GET', path, asVisitor)).json()) as { state: string };
      return state === 'failed';
    });
    await old.updateData({ ...hours(2), failAt: 1 });
    expect(await outcome(send('POST', `${path}/retry`, asVisitor))).toEqual(exceeds('/data/count'));
    const run = (settings: object) => checkScheduledData(steps, hours(2), settings);
    const schedule = { id: randomUUID(), version: 1 };
    await expect(run({ owner, schedule })).rejects.toThrow(
      'the job exceeds a limit: /count: count × intervalMs',
    );
    await run({ owner: 'user:ada', schedule });
    await run({ owner });
  });

  it('are in the list of kinds and in the reference', async () => {
    const { definitions } = (await (await send('GET', '/v1/definitions', {})).json()) as {
      definitions: Array<{ name: string; limits?: Record<string, { description: string }> }>;
    };
    const limits = definitions.find(({ name }) => name === 'steps')?.limits;
    expect(limits?.anonymous).toMatchObject({ description: '`count` × `intervalMs` is at most 1 h' });
    expect(limits?.signedIn).toMatchObject({ description: '`count` × `intervalMs` is at most 24 h' });
    const document = await (await send('GET', '/openapi.json', {})).json();
    const { schemas } = (document as { components: { schemas: Record<string, object> } }).components;
    expect(schemas['steps.start']).toMatchObject({
      'x-limits': { anonymous: { $ref: '#/components/schemas/steps.data.anonymous' } },
    });
    const { $schema: _, ...listed } = { ...limits?.anonymous } as Record<string, unknown>;
    expect(schemas['steps.data.anonymous']).toMatchObject(listed);
  });
});
