import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type Headway, startHeadway } from '../support/headway.js';
import { jobsDir } from '../support/jobs.js';
import { startApi, startWorker } from '../support/processes.js';
import { startProxy, type Proxy as TcpProxy } from '../support/proxy.js';
import { openStream } from '../support/sse.js';

/** Far above the 5 s that a replacement may take, and far below the minutes after which TCP gives up. */
const SOON_MS = 12_000;

describe('a dead connection to Redis that was not closed', () => {
  let headway: Headway;
  /** The proxy of the worker. */
  let proxy: TcpProxy;
  const through = ({ port }: TcpProxy): Record<string, string> => ({
    ...headway.env,
    REDIS_URL: `redis://127.0.0.1:${port}`,
    // The test steers the job over a connection that stays alive.
    TURNS_REDIS_URL: headway.redis.url,
  });
  beforeAll(async () => {
    headway = await startHeadway({
      workers: 0,
      env: { JOBS_DIR: jobsDir('steered'), WORKER_JOBS: 'steps,steered' },
    });
    proxy = await startProxy(headway.redis.port);
    headway.workers = [await startWorker(through(proxy))];
  });
  afterAll(async () => {
    await headway.stop();
    proxy.stop();
  });

  it('is replaced in an API process: viewers get new events, and requests are answered', async () => {
    const { client, connection } = headway;
    const own = await startProxy(headway.redis.port);
    const proxied = await startApi(through(own));
    onTestFinished(async () => {
      await proxied.kill();
      own.stop();
    });
    const job = await client.start('steered', { turns: 'watched' });
    const url = `${proxied.url}/v1/jobs/${job.id}/events`;
    const stream = await openStream(url, { token: job.token });
    await connection.lpush('watched', '10');
    await stream.waitFor('progress');
    own.freeze();
    await connection.lpush('watched', 'log after', '20');
    expect((await stream.waitFor('log', SOON_MS)).data.message).toBe('after');
    const response = await fetch(`${proxied.url}/v1/jobs/${job.id}`, {
      headers: { Authorization: `Bearer ${job.token}` },
      signal: AbortSignal.timeout(SOON_MS),
    });
    expect(response.status).toBe(200);
    await connection.lpush('watched', 'end');
    await stream.ended;
    expect(stream.names().filter((name) => name === 'log')).toHaveLength(1);
    expect(stream.names().at(-1)).toBe('completed');
  });

  it('is replaced in a worker that runs a job: each report arrives once, and the job completes', async () => {
    const { client, connection } = headway;
    const job = await client.start('steered', { turns: 'turns' }, { attempts: 1 });
    const stream = await openStream(client.events(job), { token: job.token });
    await connection.lpush('turns', 'log before');
    await stream.waitFor('log');
    proxy.freeze();
    await connection.lpush('turns', 'log one', 'log two', 'end');
    await stream.waitFor('completed', SOON_MS);
    expect(stream.events.filter(({ event }) => event === 'log').map(({ data }) => data.message)).toEqual([
      'before',
      'one',
      'two',
    ]);
  });

  it('is replaced in an idle worker', async () => {
    const { client } = headway;
    const first = await client.start('steps', { count: 1, intervalMs: 1 });
    await (await openStream(client.events(first), { token: first.token })).ended;
    proxy.freeze();
    const job = await client.start('steps', { count: 1, intervalMs: 1 });
    const stream = await openStream(client.events(job), { token: job.token });
    await stream.waitFor('completed', SOON_MS);
    expect(stream.names()).not.toContain('stalled');
  });
});
