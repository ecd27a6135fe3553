import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StartedJob } from '../support/client.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { jobsDir } from '../support/jobs.js';
import { startApi, startWorker } from '../support/processes.js';
import { openStream } from '../support/sse.js';
import { until } from '../support/until.js';

const ADMIN = { ADMIN_TOKEN: 'the-token-of-the-admin' };

describe('lists of jobs after a failure', () => {
  let headway: Headway;
  beforeAll(async () => {
    const quick = { LOCK_DURATION_MS: '1000', STALLED_INTERVAL_MS: '500', MAX_STALLS: '100' };
    headway = await startHeadway({
      appendOnly: true,
      env: { ...ADMIN, ...quick, JOBS_DIR: jobsDir('steered'), WORKER_JOBS: 'steps,steered' },
    });
  });
  afterAll(() => headway.stop());

  async function list(query: string): Promise<Array<{ id: string; state: string }>> {
    const response = await fetch(`${headway.api.url}/v1/jobs?limit=200&${query}`, {
      headers: { Authorization: `Bearer ${ADMIN.ADMIN_TOKEN}` },
    });
    expect(response.status).toBe(200);
    return ((await response.json()) as { jobs: Array<{ id: string; state: string }> }).jobs;
  }
  const postBatch = (body: string, key: string): Promise<Response> =>
    fetch(`${headway.api.url}/v1/jobs:batch`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Idempotency-Key': key },
      body,
    });

  const ROUNDS = 2;
  const JOBS = 100;
  it('repeating a batch during which the API was killed starts each job once', async () => {
    const { connection, env } = headway;
    const { port } = new URL(headway.api.url);
    const jobs = Array.from({ length: JOBS }, () => ({ name: 'steps', data: { count: 1, intervalMs: 0 } }));
    const body = JSON.stringify({ jobs });
    const key = 'a-batch-that-is-interrupted';
    for (let round = 0; round < ROUNDS; round++) {
      const sent = postBatch(body, `${key}-${round}`).catch(() => undefined);
      const before = Number((await connection.get('{headway}:steps:id')) ?? 0);
      // The first round kills the API once the key is stored, the second one once the first jobs are queued.
      await until('the batch is being started', async () =>
        round === 0
          ? (await connection.keys('headway:{idempotency:*')).length > 0
          : Number(await connection.get('{headway}:steps:id')) > before,
      );
      await headway.api.kill();
      await sent;
      headway.api = await startApi({ ...env, PORT: port });
      const again = await postBatch(body, `${key}-${round}`);
      expect(again.status).toBe(202);
      const started = ((await again.json()) as { jobs: StartedJob[] }).jobs;
      expect(new Set(started.map(({ id }) => id)).size).toBe(JOBS);
    }
    const completed = (): Promise<number> => connection.zcard('{headway}:steps:completed');
    await until('all jobs have completed', async () => (await completed()) >= ROUNDS * JOBS);
    expect(await completed()).toBe(ROUNDS * JOBS);
    await until('all jobs are in the index', async () => {
      return (await connection.zcard('{headway}.index:all:completed')) === ROUNDS * JOBS;
    });
  });

  it('show the end of every job after workers were killed', async () => {
    const { client, workers, env, connection } = headway;
    workers.push(await startWorker(env));
    const done = (): Promise<number> => connection.zcard('{headway}:steps:completed');
    const before = await done();
    const tagged = { tags: ['killed'] };
    const jobs = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        client.start('steps', { count: 5, intervalMs: 40, ...(i % 4 === 0 ? { failAt: 3 } : {}) }, tagged),
      ),
    );
    for (let round = 0; round < 3; round++) {
      const ended = await done();
      await until('one more job has completed, or all have', async () => {
        const now = await done();
        return now > ended || now === before + 15;
      });
      await workers[round % 2]!.kill();
      workers[round % 2] = await startWorker(env);
    }
    await until('the list shows the end of every job', async () => {
      return (
        (await list('tag=killed&state=completed')).length === 15 &&
        (await list('tag=killed&state=failed')).length === 5
      );
    });
    expect((await list('tag=killed')).map(({ id }) => id).sort()).toEqual(jobs.map(({ id }) => id).sort());
  });

  it('list, retention and tombstones survive a Redis that is killed and restarted on its append-only file', async () => {
    const { client, redis, api } = headway;
    const start = (keepMs: number) =>
      client.start('steps', { count: 1, intervalMs: 0 }, { keepMs, tags: ['restart'] });
    const [kept, short, due] = [await start(3_600_000), await start(1000), await start(3000)];
    await until('the first job is removed', async () => (await client.get(short)).status === 410);
    await redis.kill();
    await redis.restart();
    await until('the API is ready', async () => (await fetch(`${api.url}/readyz`)).status === 200);
    expect((await client.get(short)).status).toBe(410);
    expect(await list('state=completed&tag=restart')).toContainEqual(
      expect.objectContaining({ id: kept.id, state: 'completed' }),
    );
    await until('the second job is removed', async () => (await client.get(due)).status === 410);
    expect(await list('tag=restart')).toMatchObject([{ id: kept.id }]);
  });

  it('ends the stream of a job that was removed together with its channel', async () => {
    const { client, connection, workers } = headway;
    const job = await client.start('steered', { turns: 'turns' });
    const stream = await openStream(client.events(job), { token: job.token });
    await stream.waitFor('active');
    await Promise.all(workers.map((worker) => worker.kill()));
    const keys = [...(await connection.keys(`{headway}:*${job.id}*`)), `{headway}:steered:active`];
    await connection.del(...keys, ...(await connection.keys(`headway:{job:${job.id}}*`)));
    // After a lost connection, the API checks the jobs that it serves.
    await connection.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await stream.ended;
    expect(stream.events.at(-1)).toMatchObject({ event: 'cancelled', data: { reason: 'removed' } });
    expect((await client.get(job)).status).toBe(410);
    // A viewer that has seen the end does not come back.
    const back = await openStream(client.events(job), {
      token: job.token,
      lastEventId: stream.lastEventId(),
    });
    expect(back.status).toBe(204);
  });
});
