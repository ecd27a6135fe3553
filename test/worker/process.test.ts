import { Queue } from 'bullmq';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { StartedJob } from '../support/client.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { type ChangedJob, jobsDir } from '../support/jobs.js';
import { startApi, startWorker, type TestProcess } from '../support/processes.js';
import { openStream, type TestStream } from '../support/sse.js';
import { until } from '../support/until.js';

/** The settings of a worker that waits for its jobs when it stops. */
const PATIENT = { LOG_LEVEL: 'info', SHUTDOWN_GRACE_MS: '30000' };

/** Two jobs that share a queue. */
const MEDIA: ChangedJob[] = ['cut', 'paste'].map((name) => ({ file: 'metered', name, queue: 'media' }));

describe('a worker process', () => {
  let headway: Headway;
  beforeAll(async () => {
    headway = await startHeadway({
      workers: 0,
      env: {
        JOBS_DIR: jobsDir(
          { file: 'metered', name: 'narrow', concurrency: 2 },
          { file: 'metered', name: 'wide' },
          { file: 'metered', name: 'limited', concurrency: 2, rateLimit: { max: 4, perMs: 1500 } },
          'steered',
          'stubborn',
          ...MEDIA,
        ),
      },
    });
  });
  beforeEach(() => headway.connection.del('begun', 'tokens'));
  afterAll(() => headway.stop());

  const watch = (job: StartedJob): Promise<TestStream> =>
    openStream(headway.client.events(job), { token: job.token });
  const begun = async (): Promise<string[]> => headway.connection.lrange('begun', 0, -1);
  const release = (count: number): Promise<number> =>
    headway.connection.lpush('tokens', ...Array<string>(count).fill('go'));
  const start = (name: string, count: number): Promise<TestStream[]> =>
    Promise.all(Array.from({ length: count }, async () => watch(await headway.client.start(name, {}))));

  describe('beside another one', () => {
    beforeAll(async () => {
      const env = { ...headway.env, WORKER_CONCURRENCY: '10', WORKER_JOBS: 'narrow,wide,limited' };
      headway.workers = await Promise.all([startWorker(env), startWorker(env)]);
    });
    afterAll(async () => void (await Promise.all(headway.workers.splice(0).map((worker) => worker.kill()))));

    it('runs no more jobs of a type at a time than its concurrency allows', async () => {
      const streams = await start('narrow', 12);
      await until('as many jobs as allowed have begun', async () => (await begun()).length === 4);
      // Jobs of another type are not delayed.
      const others = await start('wide', 4);
      await until('the others have begun', async () => (await begun()).length === 8);
      await release(16);
      await Promise.all([...streams, ...others].map(({ ended }) => ended));
      const all = await begun();
      const narrow = all.slice(0, 4);
      expect(narrow.map((line) => line.split(' ')[1]).sort()).toEqual(['1', '1', '2', '2']);
      expect(new Set(narrow.map((line) => line.split(' ')[0])).size).toBe(2);
      for (const { names } of streams) expect(names().at(-1)).toBe('completed');
      const active = await activations('narrow');
      expect(Math.max(...runningAtOnce(active))).toBeLessThanOrEqual(4);
    });

    it('shares the rate limit of a job type with the other process', async () => {
      const streams = await start('limited', 12);
      for (const count of [4, 8, 12]) {
        await until(`${count} have begun`, async () => (await begun()).length === count);
        await release(4);
      }
      await Promise.all(streams.map(({ ended }) => ended));
      const times = (await activations('limited'))
        .filter(({ event }) => event === 'active')
        .map(({ at }) => at);
      expect(times).toHaveLength(12);
      // Times are rounded down to ms, so 1500 ms can appear as 1499.
      expect(times[4]! - times[0]!).toBeGreaterThanOrEqual(1499);
      expect(times[8]! - times[4]!).toBeGreaterThanOrEqual(1499);
      expect(new Set((await begun()).map((line) => line.split(' ')[0])).size).toBe(2);
    });

    /** Times that BullMQ recorded for the jobs of a queue, by the clock of Redis. */
    async function activations(queue: string): Promise<Array<{ event: string; at: number }>> {
      const entries = await headway.connection.xrange(`{headway}:${queue}:events`, '-', '+');
      return entries.map(([id, fields]) => ({ event: fields[1]!, at: Number(id.split('-')[0]) }));
    }
  });

  describe('alone', () => {
    /** A worker for "steered" that a test has left for the next one. */
    let left: TestProcess | undefined;
    afterEach(async () => {
      const ended = headway.workers.splice(0).filter((worker) => worker !== left);
      await Promise.all(ended.map((worker) => worker.kill()));
      headway.workers.push(...(left ? [left] : []));
    });

    /** Starts a worker for some kinds of jobs. */
    async function startOne(kinds: string, env: Record<string, string> = {}): Promise<TestProcess> {
      const worker = await startWorker({ ...headway.env, WORKER_JOBS: kinds, ...env });
      headway.workers.push(worker);
      return worker;
    }

    it('runs only the job types in WORKER_JOBS, of which two share a queue', async () => {
      await startOne('checksum, csv-import, cut,paste');
      const left = await headway.client.start('steps', { count: 1, intervalMs: 1 });
      const file = await headway.client.upload('a.txt', 'content');
      const jobs = [await headway.client.start('checksum', { file: file.id })];
      await release(2);
      for (const name of ['cut', 'paste']) {
        const job = await headway.client.start(name, {});
        expect(job.id).toMatch(/^media\./);
        jobs.push(job);
      }
      for (const stream of await Promise.all(jobs.map(watch))) {
        await stream.ended;
        expect(stream.names().at(-1)).toBe('completed');
      }
      expect(await (await headway.client.get(left)).json()).toMatchObject({ state: 'waiting', attempt: 0 });
      await startOne('steps');
      const other = await watch(left);
      await other.ended;
      expect(other.names().at(-1)).toBe('completed');
    });

    it('hands back a job with a priority, which an idle worker takes at once', async () => {
      const worker = await startOne('steered', { SHUTDOWN_GRACE_MS: '0' });
      const { connection } = headway;
      const job = await headway.client.start('steered', { turns: 'turns' }, { priority: 5 });
      const stream = await watch(job);
      await connection.lpush('turns', '10');
      await stream.waitFor('progress');
      left = await startOne('steered', PATIENT);
      await until('it waits for work', async () => await blockedClients(2));
      await worker.stop();
      const { data: back } = await stream.waitFor(
        ({ event, data }) => event === 'waiting' && data.attempt === 1,
      );
      const { data: again } = await stream.waitFor(
        ({ event, data }) => event === 'active' && data.attempt === 2,
      );
      expect(again.at - back.at).toBeLessThan(1000);
      await connection.lpush('turns', 'end');
      await stream.ended;
      expect(stream.names().at(-1)).toBe('completed');
    });

    /** Whether this many connections wait for jobs of the queue "steered". BullMQ names connections after the queue. */
    async function blockedClients(count: number): Promise<boolean> {
      const clients = (await headway.connection.client('LIST')) as string;
      const name = `:${Buffer.from('steered').toString('base64')}:w:`;
      const waiting = clients
        .split('\n')
        .filter((line) => / cmd=bzpopmin /.test(line) && line.includes(name));
      return waiting.length >= count;
    }

    describe('that is asked to stop', () => {
      it('takes no new job, lets the running one finish, and exits with 0', async () => {
        const { connection, client } = headway;
        const worker = left ?? (await startOne('steered', PATIENT));
        left = undefined;
        const running = await watch(await client.start('steered', { turns: 'running' }));
        await connection.lpush('running', '10');
        await running.waitFor('progress');
        // Otherwise a call that takes a job may be under way.
        await until('it waits for work', async () => await blockedClients(1));
        worker.child.kill('SIGTERM');
        await until('the signal has arrived', () => worker.output().includes('"stopping"'));
        // The running job ends after this one is queued: the worker could take it meanwhile.
        const later = await client.start('steered', { turns: 'later' });
        await connection.lpush('running', '20');
        await running.waitFor(({ data }) => data.percent === 20);
        await connection.lpush('running', 'end');
        await running.ended;
        expect(running.names().filter((name) => name !== 'progress')).toEqual([
          'waiting',
          'active',
          'completed',
        ]);
        await worker.stop();
        expect(worker.child.exitCode).toBe(0);
        expect(await (await client.get(later)).json()).toMatchObject({ state: 'waiting', attempt: 0 });
        await startOne('steered');
        await connection.lpush('later', 'end');
        const stream = await watch(later);
        await stream.ended;
        expect(stream.names()).toEqual(['waiting', 'active', 'completed']);
      });

      it('hands back jobs that react to their signal or ignore it, without using up an attempt, and publishes nothing more of the old runs', async () => {
        const { connection, client } = headway;
        const env = { SHUTDOWN_GRACE_MS: '100', PROGRESS_INTERVAL_MS: '10' };
        const worker = await startOne('stubborn', env);
        const jobs = await Promise.all(
          [true, false].map((polite) => client.start('stubborn', { polite, lastsMs: 2500 }, { attempts: 1 })),
        );
        const streams = await Promise.all(jobs.map(watch));
        await Promise.all(streams.map((stream) => stream.waitFor('progress')));
        // Start the other worker now, because the jobs end soon and a process takes time to start.
        const stopped = worker.stop();
        await startOne('stubborn', env);
        await stopped;
        expect(worker.child.exitCode).toBe(0);
        await Promise.all(streams.map(({ ended }) => ended));
        const queue = new Queue('stubborn', { connection, prefix: '{headway}' });
        for (const [i, stream] of streams.entries()) {
          expect(stream.names().filter((name) => name !== 'progress' && name !== 'log')).toEqual([
            'waiting',
            'active',
            'waiting',
            'active',
            'completed',
          ]);
          expect(stream.events.at(-1)!.data.attempt).toBe(2);
          expect(await queue.getJob(jobs[i]!.id)).toMatchObject({
            attemptsMade: 1,
            attemptsStarted: 2,
            stalledCounter: 0,
          });
          let attempt = 0;
          for (const { data } of stream.events) {
            expect(data.attempt).toBeGreaterThanOrEqual(attempt);
            attempt = data.attempt;
          }
        }
        await queue.close();
      });

      it('hands back a job that it gets while it is stopping', async () => {
        const { client } = headway;
        const env = { SHUTDOWN_GRACE_MS: '0', WORKER_CONCURRENCY: '10' };
        const first = await startOne('stubborn', env);
        const jobs = await Promise.all(
          Array.from({ length: 40 }, () => client.start('stubborn', { polite: true, lastsMs: 10 })),
        );
        const streams = await Promise.all(jobs.map(watch));
        await streams[0]!.waitFor('active');
        await first.stop();
        await startOne('stubborn', env);
        await Promise.all(streams.map(({ ended }) => ended));
        for (const { names } of streams) {
          expect(names()).not.toContain('stalled');
          expect(names().at(-1)).toBe('completed');
        }
      });
    });
  });
});

/** Number of running jobs at each start of a job. */
function runningAtOnce(events: Array<{ event: string }>): number[] {
  let running = 0;
  return events.map(({ event }) => {
    if (event === 'active') running++;
    if (event === 'completed') running--;
    return running;
  });
}

describe('a worker process with an invalid configuration', () => {
  const limited = [...MEDIA, { file: 'metered', name: 'glue', queue: 'media', concurrency: 1 }];
  it.each<[string, ChangedJob[], Record<string, string>, RegExp]>([
    [
      'an unknown job type',
      [],
      { WORKER_JOBS: 'steps,stpes' },
      /^error: WORKER_JOBS: unknown job type "stpes"\. Known job types: .*steps/,
    ],
    [
      'only some job types of a queue',
      MEDIA,
      { WORKER_JOBS: 'cut' },
      /^error: WORKER_JOBS: the queue "media" also contains paste\. /,
    ],
    [
      'an invalid list',
      [],
      { WORKER_JOBS: 'steps;checksum' },
      /^error: WORKER_JOBS: must be a comma-separated list of job names/,
    ],
    [
      'a limit in a shared queue',
      limited,
      {},
      /^error: the job "glue" has a concurrency or rateLimit.*"media" with cut, paste/,
    ],
  ])('prints one line and exits with code 78: %s', async (_what, jobs, env, message) => {
    const settings = { ...env, JOBS_DIR: jobsDir(...jobs), REDIS_URL: 'redis://127.0.0.1:1' };
    const failure = await startWorker(settings).then(
      () => undefined,
      (error: { code: number; output: string }) => error,
    );
    expect(failure?.code).toBe(78);
    expect(failure!.output.trim()).toMatch(message);
    expect(failure!.output.trim()).not.toContain('\n');
  });

  it('makes the API exit as well, if the mistake concerns the API', async () => {
    const failure = await startApi({ JOBS_DIR: jobsDir(...limited), REDIS_URL: 'redis://127.0.0.1:1' }).then(
      () => undefined,
      (error: { code: number; output: string }) => error,
    );
    expect(failure).toMatchObject({ code: 78, output: expect.stringMatching(/^error: the job "glue"/) });
  });
});
