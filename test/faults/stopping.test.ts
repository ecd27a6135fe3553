import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type Headway, startHeadway } from '../support/headway.js';
import { jobsDir, writeJobs } from '../support/jobs.js';
import { startApi, startWorker, type TestProcess } from '../support/processes.js';
import { startProxy } from '../support/proxy.js';
import { openStream } from '../support/sse.js';
import { until } from '../support/until.js';

/** Longer than a test: what happens within it does not wait for its end. */
const LONG_MS = '600000';

describe('a process that is asked to stop', () => {
  let headway: Headway;
  /** The worker that the first test leaves for the second. */
  let next: TestProcess | undefined;
  beforeAll(async () => {
    headway = await startHeadway({
      workers: 0,
      env: { LOG_LEVEL: 'info', SHUTDOWN_GRACE_MS: LONG_MS, JOBS_DIR: jobsDir('steered') },
    });
  });
  afterAll(async () => {
    await next?.kill();
    await headway.stop();
  });

  it('hands back at once a job that it was taking when the signal came, and exits', async () => {
    const { client, connection, redis, env } = headway;
    const proxy = await startProxy(redis.port);
    const worker = await startWorker({ ...env, REDIS_URL: `redis://127.0.0.1:${proxy.port}` });
    onTestFinished(async () => {
      await worker.kill();
      proxy.stop();
    });
    // Only the script that takes a job has this key.
    const taking = proxy.holdBefore(':steered:limiter');
    const job = await client.start('steered', { turns: 'taken' }, { attempts: 1 });
    const stream = await openStream(client.events(job), { token: job.token });
    await taking;
    worker.child.kill('SIGTERM');
    await until('the signal has arrived', () => worker.output().includes('"stopping"'));
    proxy.release();
    await worker.stop();
    expect(worker.child.exitCode).toBe(0);
    const queue = new Queue('steered', { connection, prefix: '{headway}' });
    onTestFinished(() => queue.close());
    expect(await queue.getJob(job.id)).toMatchObject({ attemptsMade: 0, stalledCounter: 0 });
    expect(await queue.getJobCountByTypes('waiting')).toBe(1);

    next = await startWorker(env);
    await connection.lpush('taken', 'end');
    await stream.ended;
    expect(stream.names().at(-1)).toBe('completed');
    expect(stream.names()).not.toContain('stalled');
    expect(stream.names()).not.toContain('retrying');
  });

  it('exits at once at the second signal, also while a job runs', async () => {
    const { client, connection, env } = headway;
    const worker = next ?? (await startWorker(env));
    onTestFinished(() => worker.kill());
    const job = await client.start('steered', { turns: 'second' });
    const stream = await openStream(client.events(job), { token: job.token });
    onTestFinished(() => stream.close());
    await connection.lpush('second', '10');
    await stream.waitFor('progress');
    worker.child.kill('SIGTERM');
    await until('the signal has arrived', () => worker.output().includes('"stopping"'));
    // Signals in quick succession are one request: a terminal and npm both send Ctrl-C.
    worker.child.kill('SIGINT');
    const exited = once(worker.child, 'exit');
    while (worker.child.exitCode === null && worker.child.signalCode === null) {
      worker.child.kill('SIGTERM');
      await Promise.race([exited, sleep(200)]);
    }
    expect(worker.child.exitCode).toBe(1);
    expect(worker.output()).toContain('asked to stop again');
    await connection.lpush('second', 'end');
  });

  it('tells each viewer when to reconnect, and lets an upload finish', async () => {
    const { client, env } = headway;
    const api = await startApi(env);
    onTestFinished(() => api.kill());
    const job = await client.start('steered', { turns: 'watched' });
    const watch = async () => openStream(`${api.url}${job.links.events}`, { token: job.token });
    const streams = await Promise.all(Array.from({ length: 20 }, watch));
    const { port, hostname } = new URL(api.url);
    // Requests that wait for one before them on their connection are forgotten with it, or with the stream before them.
    const pipelined = [
      '/v1/files?name=a HTTP/1.1\r\nContent-Length: 1',
      `${job.links.events}?token=${job.token} HTTP/1.1`,
    ];
    for (const [i, first] of pipelined.entries()) {
      const socket = connect(Number(port), hostname);
      socket.on('error', () => {});
      socket.write(`${i === 0 ? 'POST' : 'GET'} ${first}\r\nHost: localhost\r\n\r\n`);
      socket.write('GET /v1/definitions HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(3));
      if (i === 0) await once(socket, 'connect').then(() => socket.destroy());
      else await once(socket, 'data');
      onTestFinished(() => void socket.destroy());
    }
    const upload = connect(Number(port), hostname);
    let answer = '';
    upload.setEncoding('utf8').on('data', (text: string) => (answer += text));
    upload.write('POST /v1/files?name=a.txt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nab');
    // A connection that sends nothing does not keep the process.
    const silent = connect(Number(port), hostname);
    silent.on('error', () => {});
    await once(silent, 'connect');
    await until('the upload has begun', async () => (await fetch(`${api.url}/healthz`)).ok);
    const exited = once(api.child, 'exit');
    api.child.kill('SIGTERM');
    await Promise.all(streams.map(({ ended }) => ended));
    const retries = streams.map(({ retry }) => retry!);
    // Another API process runs, to which they can go at once.
    for (const retry of retries) expect(retry).toBeLessThan(1000);
    expect(new Set(retries).size).toBeGreaterThan(1);
    upload.write('cd');
    await once(upload, 'close');
    expect(answer).toMatch(/^HTTP\/1\.1 201 /);
    expect(answer).toMatch(/^connection: close\r$/im);
    await exited;
    expect(api.child.exitCode).toBe(0);
  });

  it('tells an upload that has not finished within the grace period to come again', async () => {
    const api = await startApi({ ...headway.env, SHUTDOWN_GRACE_MS: '1000' });
    onTestFinished(() => api.kill());
    const { port, hostname } = new URL(api.url);
    const upload = connect(Number(port), hostname);
    let answer = '';
    upload.setEncoding('utf8').on('data', (text: string) => (answer += text));
    upload.on('error', () => {});
    upload.write('POST /v1/files?name=a.txt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nab');
    await until('the upload has begun', async () => (await fetch(`${api.url}/healthz`)).ok);
    await api.stop();
    expect(answer).toMatch(/^HTTP\/1\.1 503 .*"code":"unavailable"/s);
  });

  it('exits with 0 while Redis hangs and code of the operator never answers', async () => {
    const { redis, env } = headway;
    const dir = writeJobs({ 'hook.mjs': 'export default () => new Promise(() => {});\n' });
    const quick = { ...env, SHUTDOWN_GRACE_MS: '0' };
    const processes = await Promise.all([
      startApi({ ...quick, AUTHORIZE_MODULE: `${dir}/hook.mjs` }),
      startWorker(quick),
    ]);
    onTestFinished(async () => {
      redis.signal('SIGCONT');
      await Promise.all(processes.map((process) => process.kill()));
    });
    const { url } = processes[0]!;
    const refused = fetch(`${url}/v1/jobs/unknown`).catch((error: Error) => error);
    await until('the request is being answered', async () => (await fetch(`${url}/healthz`)).ok);
    redis.signal('SIGSTOP');
    await Promise.all(processes.map((process) => process.stop()));
    for (const { child } of processes) expect(child.exitCode).toBe(0);
    await refused;
  });
});
