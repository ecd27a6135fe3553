import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StartedJob } from '../support/client.js';
import type { Headway } from '../support/headway.js';
import { borrowHeadway } from '../support/shared-headway.js';
import { openStream, type TestStream } from '../support/sse.js';

describe('GET /v1/events?job=…', () => {
  let headway: Headway;
  beforeAll(async () => {
    headway = await borrowHeadway();
  });
  afterAll(() => headway.stop());

  const start = (count: number): Promise<StartedJob> =>
    headway.client.start('steps', { count, intervalMs: 5 });
  const query = (jobs: StartedJob[], tokens = jobs.map(({ token }) => token)): string =>
    [...jobs.map(({ id }) => `job=${id}`), ...tokens.map((token) => `token=${token}`)].join('&');
  const watch = (jobs: StartedJob[], lastEventId?: string, tokens?: string[]): Promise<TestStream> =>
    openStream(`${headway.api.url}/v1/events?${query(jobs, tokens)}`, { lastEventId });

  it('streams many jobs over one connection, and ends when all jobs have ended', async () => {
    const jobs = await Promise.all([start(1), start(20), start(40)]);
    const stream = await watch(jobs);
    await stream.ended;
    for (const job of jobs) {
      const events = stream.events.filter(({ data }) => data.jobId === job.id);
      expect(events.at(0)!.event).toBe('waiting');
      expect(events.at(-1)!.event).toBe('completed');
      expect(events.filter(({ event }) => event === 'completed')).toHaveLength(1);
      const percents = events.filter(({ event }) => event === 'progress').map(({ data }) => data.percent);
      expect(percents).toEqual([...percents].sort((a, b) => a - b));
    }
    expect((await watch(jobs, stream.lastEventId())).status).toBe(204);
  });

  it('resumes: sends the missed events, and nothing of jobs that had ended before', async () => {
    const jobs = await Promise.all([start(1), start(100)]);
    const [short, long] = jobs as [StartedJob, StartedJob];
    const stream = await watch(jobs);
    await stream.waitFor(({ event, data }) => event === 'completed' && data.jobId === short.id);
    await stream.waitFor(({ event, data }) => event === 'progress' && data.jobId === long.id);
    stream.close();
    const again = await watch(jobs, stream.lastEventId());
    await again.ended;
    expect(again.events.filter(({ data }) => data.jobId === short.id)).toEqual([]);
    expect(again.names().at(-1)).toBe('completed');
    expect(again.names()).not.toContain('waiting');
  });

  it('opens for the owner of the jobs, without their tokens', async () => {
    const post = (cookie?: string): Promise<Response> =>
      headway.client.post(
        { name: 'steps', data: { count: 1, intervalMs: 1 } },
        cookie ? { Cookie: cookie } : {},
      );
    const first = await post();
    const cookie = first.headers
      .getSetCookie()
      .find((text) => text.startsWith('headway_visitor='))!
      .split(';')[0]!;
    const jobs = [await first.json(), await (await post(cookie)).json()] as StartedJob[];
    const stream = await openStream(`${headway.api.url}/v1/events?${query(jobs, [])}`, {
      headers: { Cookie: cookie },
    });
    await stream.ended;
    expect(stream.names().filter((name) => name === 'completed')).toHaveLength(2);
  });

  it('opens with the job tokens in a header, which does not identify the caller', async () => {
    const jobs = await Promise.all([start(1), start(1)]);
    const url = `${headway.api.url}/v1/events?${query(jobs, [])}`;
    const tokens = jobs.map(({ token }) => token);
    const stream = await openStream(url, { headers: { 'Headway-Job-Tokens': tokens.join(', ') } });
    await stream.ended;
    expect(stream.names().filter((name) => name === 'completed')).toHaveLength(2);
    const list = await fetch(`${headway.api.url}/v1/jobs`, {
      headers: { 'Headway-Job-Tokens': tokens.join() },
    });
    expect(await list.json()).toEqual({ jobs: [] });
    const status = async (...some: string[]): Promise<number> =>
      (await openStream(url, { headers: { 'Headway-Job-Tokens': some.join() } })).status;
    expect(await status(tokens[0]!)).toBe(404);
    expect(await status(tokens[0]!, 'no-token')).toBe(401);
  });

  it('identifies the job of a reset by its event id', async () => {
    const jobs = await Promise.all([start(1), start(1)]);
    const whole = await watch(jobs);
    await whole.ended;
    const [one] = whole.lastEventId()!.split(',');
    const stream = await watch(jobs, `${one},0f548b34108c-3`);
    await stream.ended;
    expect(stream.events[0]).toMatchObject({ event: 'reset', id: `${one},`, data: { reason: 'epoch' } });
    expect(stream.names().at(-1)).toBe('completed');
  });

  it('is refused as a whole if the caller has no access to one of the jobs', async () => {
    const jobs = await Promise.all([start(1), start(1)]);
    expect((await watch(jobs, undefined, [jobs[0]!.token])).status).toBe(404);
    expect((await watch(jobs, undefined, [])).status).toBe(404);
  });

  it.each([
    ['no job', ''],
    ['too many', Array.from({ length: 101 }, (_, i) => `job=steps.${i}`).join('&')],
  ])('refuses %s', async (_what, search) => {
    const response = await fetch(`${headway.api.url}/v1/events?${search}`);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: 'invalid-request' });
  });
});
