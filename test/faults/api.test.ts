import { EventSource } from 'eventsource';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientOf } from '../support/client.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { jobsDir } from '../support/jobs.js';
import { startApi } from '../support/processes.js';
import { startProxy } from '../support/proxy.js';
import { openStream } from '../support/sse.js';
import { until } from '../support/until.js';

describe('when an API process dies', () => {
  let headway: Headway;
  beforeAll(async () => {
    headway = await startHeadway({ env: { JOBS_DIR: jobsDir('steered'), WORKER_JOBS: 'steps,steered' } });
  });
  afterAll(() => headway.stop());

  it('an EventSource reconnects and gets each missed event once', async () => {
    const { connection, client, env } = headway;
    const job = await client.start('steered', { turns: 'turns' });
    const source = new EventSource(`${client.events(job)}?token=${job.token}`);
    const seen: string[] = [];
    const ids: string[] = [];
    for (const name of ['waiting', 'active', 'log', 'progress', 'completed', 'reset']) {
      source.addEventListener(name, (event) => {
        const data = JSON.parse(event.data);
        seen.push(name === 'log' ? data.message : name === 'progress' ? `${data.percent} %` : name);
        ids.push(event.lastEventId);
      });
    }
    try {
      for (const turn of ['log before', '10']) await connection.lpush('turns', turn);
      await until('the viewer has seen the progress', () => seen.includes('10 %'));
      const { port } = new URL(headway.api.url);
      await headway.api.kill('SIGKILL');
      for (const turn of ['log meanwhile', '20', '30', 'log and more']) await connection.lpush('turns', turn);
      await until('the job has taken every turn', async () => (await connection.llen('turns')) === 0);
      headway.api = await startApi({ ...env, PORT: port });
      await until('the viewer has caught up', () => seen.includes('and more'));
      await connection.lpush('turns', 'end');
      await until('the EventSource has closed for good', () => source.readyState === EventSource.CLOSED);
    } finally {
      source.close();
    }
    const logAndEnd = seen.filter((what) => !what.endsWith('%'));
    expect(logAndEnd).toEqual(['waiting', 'active', 'before', 'meanwhile', 'and more', 'completed']);
    expect(seen.filter((what) => what.endsWith('%'))).toEqual(['10 %', '30 %']);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('repeating an idempotent POST that was half done starts one job, and it completes', async () => {
    const { client, connection, env } = headway;
    const headers = { 'Idempotency-Key': 'a-key-that-is-long-enough' };
    const body = { name: 'steps', data: { count: 1, intervalMs: 1 } };
    const proxy = await startProxy(headway.redis.port);
    const dying = await startApi({ ...env, REDIS_URL: `redis://127.0.0.1:${proxy.port}` });
    // Only BullMQ's script that adds a job uses this key, the counter of the queue's job ids.
    const addsJob = proxy.holdBefore('{headway}:steps:id');
    const lost = clientOf(dying.url)
      .post(body, headers)
      .catch(() => undefined);
    await addsJob;
    const [key, ...others] = await connection.keys('headway:{idempotency:*');
    expect(others).toEqual([]);
    expect(await connection.get(key!)).toMatch(/ claimed$/);
    expect(await connection.exists('{headway}:steps:id')).toBe(0);
    await dying.kill('SIGKILL');
    expect(await lost).toBeUndefined();
    proxy.stop();
    const [one, two] = await Promise.all([client.post(body, headers), client.post(body, headers)]);
    const jobs = (await Promise.all([one!.json(), two!.json()])) as Array<{ id: string; token: string }>;
    expect(jobs[0]!.id).toBe(jobs[1]!.id);
    const stream = await openStream(`${headway.api.url}/v1/jobs/${jobs[0]!.id}/events`, {
      token: jobs[0]!.token,
    });
    await stream.ended;
    expect(stream.names().at(-1)).toBe('completed');
    expect(await connection.zcard('{headway}:steps:completed')).toBe(1);
  });

  // The last one: it stops the API.
  it('a viewer of a process that is stopped resumes at another one', async () => {
    const { connection, client, env, api } = headway;
    const second = await startApi(env);
    try {
      const job = await client.start('steered', { turns: 'more turns' });
      const first = await openStream(client.events(job), { token: job.token });
      await connection.lpush('more turns', '10');
      await first.waitFor('progress');
      await api.stop();
      await first.ended;
      const next = await openStream(`${second.url}${job.links.events}`, {
        token: job.token,
        lastEventId: first.lastEventId(),
      });
      await connection.lpush('more turns', 'end');
      await next.ended;
      expect(next.names()).toEqual(['completed']);
    } finally {
      await second.kill();
    }
  });
});
