import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Supervisor } from '../../scripts/lib/supervisor.mjs';
import type { StartedJob } from '../support/client.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { inThread, jobsDir } from '../support/jobs.js';
import { startWorker } from '../support/processes.js';
import { openStream, type TestStream } from '../support/sse.js';
import { until } from '../support/until.js';

const JOBS_DIR = jobsDir('reckless', inThread('reckless'), 'leaving', 'steered');
const QUICK = { LOCK_DURATION_MS: '1000', STALLED_INTERVAL_MS: '500', JOBS_DIR };

describe('an uncaught error', () => {
  let headway: Headway;
  beforeAll(async () => {
    headway = await startHeadway({ workers: 0, env: QUICK });
  });
  afterAll(() => headway.stop());
  const watch = (job: StartedJob): Promise<TestStream> =>
    openStream(headway.client.events(job), { token: job.token });
  const steered = async (turns: string): Promise<TestStream> => {
    const stream = await watch(await headway.client.start('steered', { turns }));
    await stream.waitFor('active');
    return stream;
  };

  describe('of a job', () => {
    beforeAll(async () => {
      headway.workers = [await startWorker({ ...headway.env, WORKER_CONCURRENCY: '4', WORKER_THREADS: '1' })];
    });
    afterAll(async () => void (await Promise.all(headway.workers.splice(0).map((worker) => worker.kill()))));

    it.each([
      'rejection',
      'late rejection',
      'timer',
      'interval',
      'tick',
      'microtask',
      'file',
      'socket',
      'abort listener',
      'text',
    ])('(%s) fails the attempt, and the process and other jobs continue', async (how) => {
      const [worker] = headway.workers;
      const innocent = await steered(how);
      const job = await headway.client.start(
        'reckless',
        { how },
        { attempts: 2, backoff: { type: 'fixed', delayMs: 10 } },
      );
      const stream = await watch(job);
      await stream.ended;
      expect(stream.names()).toEqual(['waiting', 'active', 'log', 'retrying', 'active', 'log', 'failed']);
      const message = { socket: /ECONNREFUSED/, text: /^only text$/ }[how] ?? /^thrown at nobody$/;
      expect(stream.events.at(-1)!.data.error.message).toMatch(message);
      await headway.connection.lpush(how, 'end');
      await innocent.ended;
      expect(innocent.names()).toEqual(['waiting', 'active', 'completed']);
      expect(worker!.child.exitCode).toBeNull();
    });

    it.each(['rejection', 'timer', 'microtask', 'abort listener', 'text'])(
      'in a thread (%s) fails the attempt, and the thread continues',
      async (how) => {
        const options = { attempts: 2, backoff: { type: 'fixed', delayMs: 10 } } as const;
        const stream = await watch(await headway.client.start('reckless-thread', { how }, options));
        await stream.ended;
        expect(stream.names()).toEqual(['waiting', 'active', 'log', 'retrying', 'active', 'log', 'failed']);
        expect(stream.events.at(-1)!.data.error).toMatchObject({
          message: how === 'text' ? 'only text' : 'thrown at nobody',
        });
        expect(headway.workers[0]!.output()).not.toContain('ended unexpectedly');
      },
    );

    it.each(['rejection', 'timer', 'microtask'])(
      '(%s) after the end of the job does not fail the next job in its thread',
      async (how) => {
        const first = await headway.client.start('leaving', { how });
        const stream = await watch(first);
        await stream.ended;
        const next = await watch(await headway.client.start('leaving', { how: 'next' }, { attempts: 1 }));
        await next.ended;
        expect(next.names()).toEqual(['waiting', 'active', 'completed']);
        expect(next.events.at(-1)!.data.result).toEqual(stream.events.at(-1)!.data.result);
        const [worker] = headway.workers;
        const find = () =>
          worker!
            .output()
            .split('\n')
            .find((text) => text.includes('left behind') && text.includes(first.id));
        await until('it is logged', () => find() !== undefined);
        const line = find()!;
        expect(JSON.parse(line)).toMatchObject({ jobId: first.id, err: { message: 'left behind' } });
      },
    );
  });

  describe('outside any job', () => {
    let supervisor: Supervisor | undefined;
    afterEach(async () => {
      supervisor?.kill();
      supervisor = undefined;
      await Promise.all(headway.workers.splice(0).map((worker) => worker.kill()));
    });

    /** Starts a worker that is restarted whenever it ends, as with `npm start`. */
    const superviseWorker = async (env: Record<string, string>): Promise<string[]> => {
      const ends: string[] = [];
      supervisor = new Supervisor((_name: string, line: string) => {
        if (line.startsWith('ended')) ends.push(line);
      });
      const main = join(process.cwd(), 'dist/worker/main.js');
      await supervisor.start('worker', process.execPath, [main], {
        env: { PATH: process.env.PATH!, LOG_LEVEL: 'warn', ...env },
        ipc: true,
      });
      return ends;
    };

    it('fails the job whose workers it ended again and again, and no other job', async () => {
      const ends = await superviseWorker({ ...headway.env, MAX_STALLS: '0', WORKER_CONCURRENCY: '8' });
      const innocent = await Promise.all(['a', 'b', 'c', 'd'].map(steered));
      const cause = await watch(await headway.client.start('reckless', { how: 'foreign context' }));
      // Jobs that were lost run one at a time, each until it has ended.
      await until('the worker was restarted', () => ends.length > 0);
      for (const turns of ['a', 'b', 'c', 'd']) await headway.connection.lpush(turns, 'end');
      await Promise.all([cause, ...innocent].map(({ ended }) => ended));
      expect(cause.events.at(-1)).toMatchObject({ event: 'failed', data: { error: { code: 'stalled' } } });
      for (const { names } of innocent) expect(names().at(-1)).toBe('completed');
    });

    it('fails the job whose workers crash again and again, and no job that was lost with it', async () => {
      const ends = await superviseWorker({ ...headway.env, MAX_STALLS: '1', WORKER_CONCURRENCY: '8' });
      const jobs = await Promise.all(
        Array.from({ length: 4 }, () => headway.client.start('steps', { count: 30, intervalMs: 50 })),
      );
      const innocent = await Promise.all(jobs.map(watch));
      await Promise.all(innocent.map((stream) => stream.waitFor('active')));
      const cause = await watch(await headway.client.start('reckless', { how: 'abort' }));
      await Promise.all([cause, ...innocent].map(({ ended }) => ended));
      expect(cause.events.at(-1)).toMatchObject({ event: 'failed', data: { error: { code: 'stalled' } } });
      for (const { names } of innocent) expect(names().at(-1)).toBe('completed');
      // The first crash lost all jobs together; in the second, the cause ran alone.
      expect(ends).toHaveLength(2);
    });

    // The last one: the job that caused the crash waits for a worker that it would end.
    it('ends the process, after the running jobs were handed back without using up an attempt', async () => {
      // Locks outlast the test, so no job is found stalled: a job that continues was handed back.
      const env = { ...headway.env, MAX_STALLS: '0', LOCK_DURATION_MS: '60000' };
      headway.workers = [await startWorker(env)];
      const innocent = await steered('innocent');
      const others = await Promise.all(['one', 'two'].map(steered));
      const [worker] = headway.workers;
      const cause = await watch(await headway.client.start('reckless', { how: 'foreign context' }));
      await cause.waitFor('log');
      await until('the worker has ended', () => worker!.child.exitCode !== null);
      expect(worker!.child.exitCode).toBe(1);
      expect(worker!.output()).toContain('uncaught error outside of any known job');
      await Promise.all(
        [innocent, ...others].map((stream) =>
          stream.waitFor((event) => event.event === 'waiting' && event.data.attempt === 1),
        ),
      );
      await supervised();
      await headway.connection.lpush('one', 'end');
      await headway.connection.lpush('two', 'end');
      await headway.connection.lpush('innocent', 'end');
      await Promise.all([innocent, ...others].map(({ ended }) => ended));
      for (const { names } of [innocent, ...others]) {
        expect(names()).toEqual(['waiting', 'active', 'waiting', 'active', 'completed']);
      }

      async function supervised(): Promise<void> {
        // The job that caused the crash would end this worker too.
        headway.workers = [await startWorker({ ...env, WORKER_JOBS: 'steered' })];
      }
    });
  });
});
