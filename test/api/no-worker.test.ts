import { Worker } from 'bullmq';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CliUser } from '../support/cli.js';
import type { StartedJob } from '../support/client.js';
import { ADMIN_TOKEN, openDashboard } from '../support/dashboard.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { startWorker } from '../support/processes.js';
import { openStream } from '../support/sse.js';
import { call, signer } from '../support/tokens.js';
import { until } from '../support/until.js';

describe('a job without a worker', () => {
  let headway: Headway;
  beforeAll(async () => {
    headway = await startHeadway({ workers: 0, env: { ADMIN_TOKEN, WORKER_CONCURRENCY: '1' } });
  });
  afterAll(() => headway.stop());

  it('expires when ttlMs have passed since the due time of a delayed job', async () => {
    const job = await headway.client.start(
      'steps',
      { count: 1, intervalMs: 1 },
      { delayMs: 200, ttlMs: 200 },
    );
    const started = Date.now();
    const stream = await openStream(headway.client.events(job), { token: job.token });
    await stream.ended;
    expect(Date.now() - started).toBeGreaterThan(350);
    expect(stream.names()).toEqual(['delayed', 'failed']);
  });

  it('shows noWorker until a worker starts; a job behind a busy worker shows it once the worker is killed', async () => {
    const { client, env } = headway;
    const first = await client.start('steps', { count: 600, intervalMs: 100 });
    const second = await client.start('steps', { count: 1, intervalMs: 1 });
    expect(await (await client.get(second)).json()).toMatchObject({ state: 'waiting', noWorker: true });
    const [one, two] = await Promise.all(
      [first, second].map((job) => openStream(client.events(job), { token: job.token })),
    );
    const says = (noWorker: boolean) =>
      two!.waitFor(({ event, data }) => event === 'queue' && data.noWorker === noWorker);
    await says(true);
    const worker = await startWorker(env);
    await one!.waitFor('active');
    await says(false);
    expect(await (await client.get(second)).json()).not.toHaveProperty('noWorker');
    const published = two!.events.length;
    await worker.kill('SIGKILL');
    await two!.waitFor((event) => two!.events.indexOf(event) >= published && event.data.noWorker === true);
    // Behind a busy worker, it may also have been told its position.
    const told = two!.events.filter(({ data }) => data.position === undefined);
    expect(told.map(({ event }) => event)).toEqual(['waiting', 'queue', 'queue', 'queue']);
    one!.close();
    two!.close();
  });

  it('shows noWorker in overviews, on the dashboard and on the command line', async () => {
    const { api, env } = headway;
    const token = await signer(env.TOKEN_SECRET!)({ sub: 'ada' });
    const body = { name: 'steps', data: { count: 1, intervalMs: 1 } };
    const job = (await (await call(`${api.url}/v1/jobs`, 'POST', token, body)).json()) as StartedJob;
    const [mine, board] = await Promise.all([
      openStream(`${api.url}/v1/events?jobs=mine`, { token }),
      openDashboard(api.url),
    ]);
    const cli = new CliUser(api.url, { HEADWAY_TOKEN: token }).start(['watch', job.id]);
    await cli.printed(/^waiting: no workers running for this kind of job$/m);
    const waits = (noWorker?: true) =>
      mine.waitFor(
        ({ event, data }) => event === 'job' && data.jobId === job.id && data.noWorker === noWorker,
      );
    await waits(true);
    const unserved = (wanted: boolean) =>
      board.shows(`that steps ${wanted ? 'has no worker' : 'has a worker'}`, ({ queues }) =>
        queues.some(({ name, noWorker }) => name === 'steps' && noWorker === wanted),
      );
    await unserved(true);
    const worker = await startWorker(env);
    await waits();
    await unserved(false);
    await cli.printed(/^(waiting for a free worker|running)$/m);
    cli.child.kill('SIGTERM');
    await worker.kill('SIGKILL');
    mine.close();
    board.close();
  });

  it('has a worker if a program that knows only BullMQ serves its queue', async () => {
    const job = await headway.client.start('checksum', { file: (await headway.client.upload('a', 'b')).id });
    const other = await headway.client.start('checksum', {
      file: (await headway.client.upload('c', 'd')).id,
    });
    const stream = await openStream(headway.client.events(other), { token: other.token });
    await stream.waitFor(({ event, data }) => event === 'queue' && data.noWorker);
    let release: (() => void) | undefined;
    const plain = new Worker(
      'checksum',
      () =>
        new Promise<void>((resolve) => {
          release = resolve;
        }),
      {
        connection: { url: headway.redis.url },
        prefix: '{headway}',
      },
    );
    await stream.waitFor(({ event, data }) => event === 'queue' && data.noWorker === false);
    // A worker is known before it takes its first job.
    await until(
      'the worker runs the job',
      async () => ((await (await headway.client.get(job)).json()) as { state: string }).state === 'active',
    );
    release!();
    await plain.close(true);
    stream.close();
  });
});
