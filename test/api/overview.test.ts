import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StartedJob } from '../support/client.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { jobsDir } from '../support/jobs.js';
import { startApi } from '../support/processes.js';
import { openStream, type TestStream } from '../support/sse.js';
import { bearer, call, signer } from '../support/tokens.js';
import { until } from '../support/until.js';

const ADMIN = 'an-admin-of-these-tests';

/** Returns the last received state of each job. */
function known(stream: TestStream): Record<string, string> {
  const states: Record<string, string> = {};
  for (const { event, data } of stream.events) if (event === 'job') states[data.jobId] = data.state;
  return states;
}

describe('GET /v1/events of many jobs', () => {
  let headway: Headway;
  let url: string;
  let sign: ReturnType<typeof signer>;
  beforeAll(async () => {
    headway = await startHeadway({
      env: {
        ADMIN_TOKEN: ADMIN,
        WORKER_CONCURRENCY: '100',
        JOBS_DIR: jobsDir('steered'),
      },
    });
    url = headway.api.url;
    sign = signer(headway.env.TOKEN_SECRET!);
  });
  afterAll(() => headway.stop());

  const start = async (sub: string, name: string, data: unknown, options?: unknown): Promise<StartedJob> =>
    (await (
      await call(`${url}/v1/jobs`, 'POST', await sign({ sub }), {
        name,
        data,
        ...(options ? { options } : {}),
      })
    ).json()) as StartedJob;
  const mine = async (sub: string, at = url) =>
    openStream(`${at}/v1/events?jobs=mine`, { token: await sign({ sub }) });

  it("streams the caller's own jobs as they join and leave, and no other jobs", async () => {
    const before = await start('ada', 'steered', { turns: 'one' });
    const other = await start('eve', 'steered', { turns: 'eve' });
    const second = await startApi(headway.env);
    const streams = await Promise.all([mine('ada'), mine('ada', second.url)]);
    try {
      for (const stream of streams) {
        expect(stream.events[0] ?? (await stream.waitFor('reset'))).toMatchObject({ event: 'reset' });
        await stream.waitFor(({ data }) => data.jobId === before.id);
      }
      const later = await start('ada', 'steered', { turns: 'two' });
      const delayed = await start('ada', 'steps', { count: 1, intervalMs: 1 }, { delayMs: 3_600_000 });
      for (const stream of streams) {
        await stream.waitFor(({ data }) => data.jobId === later.id && data.state === 'active');
        await stream.waitFor(({ data }) => data.jobId === delayed.id && data.state === 'delayed');
      }
      // The other user's job ends first: an update of it would arrive before the updates that the streams wait for.
      await headway.connection.lpush('eve', 'end');
      await until('the other job has completed', async () => {
        const view = await (await call(`${url}${other.links.self}`, 'GET', other.token)).json();
        return (view as { state: string }).state === 'completed';
      });
      await headway.connection.lpush('two', '42');
      for (const stream of streams) {
        const moved = await stream.waitFor(({ data }) => data.jobId === later.id && data.percent === 42);
        expect(moved.data).toMatchObject({ name: 'steered', attempt: 1, state: 'active' });
      }
      await headway.connection.lpush('one', 'end');
      await headway.connection.lpush('two', 'fail');
      await call(`${url}${delayed.links.cancel}`, 'POST', ADMIN);
      for (const stream of streams) {
        await stream.waitFor(({ data }) => data.jobId === before.id && data.state === 'completed');
        const failed = await stream.waitFor(({ data }) => data.jobId === later.id && data.state === 'failed');
        expect(failed.data.error).toMatchObject({ message: 'asked to fail' });
        await stream.waitFor(({ data }) => data.jobId === delayed.id && data.state === 'cancelled');
        await stream.waitFor(({ event, data }) => event === 'jobs' && data.unfinished === 0);
        expect(Object.keys(known(stream)).sort()).toEqual([before.id, later.id, delayed.id].sort());
        expect(stream.events.map(({ data }) => data.jobId)).not.toContain(other.id);
      }
    } finally {
      for (const stream of streams) stream.close();
      await second.kill();
    }
  });

  it('continues after a Redis outage, and ends when the token expires', async () => {
    const job = await start('grace', 'steered', { turns: 'three' });
    const token = await sign({ sub: 'grace', jti: 'of-grace' });
    const stream = await openStream(`${url}/v1/events?jobs=mine`, { token });
    await stream.waitFor(({ data }) => data.jobId === job.id && data.state === 'active');
    await headway.connection.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await headway.connection.lpush('three', 'end');
    await stream.waitFor(({ data }) => data.jobId === job.id && data.state === 'completed');
    await call(`${url}/v1/revocations`, 'POST', ADMIN, { jti: 'of-grace' });
    await stream.ended;
    expect(stream.events.at(-1)).toMatchObject({ event: 'unauthorized', data: { reason: 'revoked' } });
  });

  it('streams hundreds of jobs completely, at a rate that a browser can take', async () => {
    // More than in one tick.
    const JOBS = 300;
    const answer = await call(`${url}/v1/jobs:batch`, 'POST', await sign({ sub: 'busy' }), {
      jobs: Array.from({ length: JOBS }, () => ({ name: 'steps', data: { count: 20, intervalMs: 50 } })),
    });
    expect(answer.status).toBe(202);
    const { jobs } = (await answer.json()) as { jobs: StartedJob[] };
    const stream = await mine('busy');
    await stream.waitFor(({ event, data }) => event === 'jobs' && data.unfinished === 0, 90_000);
    const ends = (): number => Object.values(known(stream)).filter((state) => state === 'completed').length;
    while (ends() < JOBS) await stream.waitFor(() => ends() === JOBS);
    expect(Object.keys(known(stream)).sort()).toEqual(jobs.map(({ id }) => id).sort());
    // How many of the 6,000 updates are sent depends only on the time.
    const published = stream.events.filter(({ event }) => event === 'job').length;
    expect(published).toBeLessThan(JOBS * 10);
    stream.close();
  }, 120_000);

  it('streams all jobs of a queue to an admin', async () => {
    const job = await start('ada', 'steered', { turns: 'queue' });
    const stream = await openStream(`${url}/v1/events?queue=steered`, { token: ADMIN });
    await stream.waitFor(({ data }) => data.jobId === job.id && data.state === 'active');
    await headway.connection.lpush('queue', 'end');
    await stream.waitFor(({ data }) => data.jobId === job.id && data.state === 'completed');
    expect(Object.keys(known(stream)).every((id) => id.startsWith('steered.'))).toBe(true);
    stream.close();
  });

  it.each([
    ['jobs=mine', undefined, 401],
    ['jobs=all', ADMIN, 400],
    ['jobs=mine&job=steps.1', ADMIN, 400],
    ['queue=steered', undefined, 401],
    ['queue=nothing', ADMIN, 404],
    ['queue=steered&jobs=mine', ADMIN, 400],
    ['', ADMIN, 400],
  ])('refuses ?%s (%s): %i', async (query, token, status) => {
    const answer = await fetch(`${url}/v1/events?${query}`, { headers: bearer(token) });
    expect(answer.status).toBe(status);
  });

  it('refuses a queue to a caller who is not an admin', async () => {
    expect((await openStream(`${url}/v1/events?queue=steered`, { token: await sign() })).status).toBe(403);
  });
});
