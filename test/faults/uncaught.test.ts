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

describe('an error that nobody catches', () => {
  let headway: Headway;
  const watch = (job: StartedJob): Promise<TestStream> =>
    openStream(headway.client.events(job), { token: job.token });
  const steered = async (turns: string): Promise<TestStream> => {
    const stream = await watch(await headway.client.start('steered', { turns }));
    await stream.waitFor('active');
    return stream;
  };

  describe('and that belongs to a job', () => {
    beforeAll(async () => {
      headway = await startHeadway({ env: { ...QUICK, WORKER_CONCURRENCY: '4', WORKER_THREADS: '1' } });
    });
    afterAll(() => headway.stop());

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
    ])('in a job (%s) fails its attempt, and the process and the others go on', async (how) => {
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
      'in a thread (%s) fails its attempt, and the thread goes on',
      async (how) => {
        const options = { attempts: 2, backoff: { type: 'fixed', delayMs: 10 } } as const;
        const stream = await watch(await headway.client.start('reckless-thread', { how }, options));
        await stream.ended;
        expect(stream.names()).toEqual(['waiting', 'active', 'log', 'retrying', 'active', 'log', 'failed']);
        expect(stream.events.at(-1)!.data.error).toMatchObject({
          message: how === 'text' ? 'only text' : 'thrown at nobody',
        });
        expect(headway.workers[0]!.output()).not.toContain('came to its end');
      },
    );

    it.each(['rejection', 'timer', 'microtask'])(
      'of a job that has ended (%s) is not that of the next job in its thread',
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

  describe('and that belongs to none', () => {
    let supervisor: Supervisor | undefined;
    afterEach(async () => {
      supervisor?.kill();
      supervisor = undefined;
      await headway.stop();
    });

    /** A worker that is started again whenever it ends, as `npm start` does it. */
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

    it('ends the process, after what ran beside it is handed back uncounted', async () => {
      // Long locks: nothing is found stalled while the test runs, so what goes on was handed back.
      headway = await startHeadway({
        env: { JOBS_DIR, MAX_STALLS: '0', LOCK_DURATION_MS: '60000' },
      });
      const innocent = await steered('innocent');
      const others = await Promise.all(['one', 'two'].map(steered));
      const [worker] = headway.workers;
      const guilty = await watch(await headway.client.start('reckless', { how: 'foreign context' }));
      await guilty.waitFor('log');
      await until('the worker has ended', () => worker!.child.exitCode !== null);
      expect(worker!.child.exitCode).toBe(1);
      expect(worker!.output()).toContain('belongs to no job');
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
        // Of the kinds that are innocent: the guilty one would end it again.
        headway.workers = [await startWorker({ ...headway.env, WORKER_JOBS: 'steered' })];
      }
    });

    it('fails the job whose worker dies of an error without a context again and again, and none beside it', async () => {
      headway = await startHeadway({
        workers: 0,
        env: { ...QUICK, MAX_STALLS: '0', WORKER_CONCURRENCY: '8' },
      });
      const ends = await superviseWorker(headway.env);
      const innocent = await Promise.all(['a', 'b', 'c', 'd'].map(steered));
      const guilty = await watch(await headway.client.start('reckless', { how: 'foreign context' }));
      // Each has its turn alone, and leaves it only when it has ended.
      await until('the process was started again', () => ends.length > 0);
      for (const turns of ['a', 'b', 'c', 'd']) await headway.connection.lpush(turns, 'end');
      await Promise.all([guilty, ...innocent].map(({ ended }) => ended));
      expect(guilty.events.at(-1)).toMatchObject({ event: 'failed', data: { error: { code: 'stalled' } } });
      for (const { names } of innocent) expect(names().at(-1)).toBe('completed');
    });

    it('fails the job whose worker crashes again and again, and none that was lost with it', async () => {
      headway = await startHeadway({
        workers: 0,
        env: { ...QUICK, MAX_STALLS: '1', WORKER_CONCURRENCY: '8' },
      });
      const ends = await superviseWorker(headway.env);
      const jobs = await Promise.all(
        Array.from({ length: 4 }, () => headway.client.start('steps', { count: 30, intervalMs: 50 })),
      );
      const innocent = await Promise.all(jobs.map(watch));
      await Promise.all(innocent.map((stream) => stream.waitFor('active')));
      const guilty = await watch(await headway.client.start('reckless', { how: 'abort' }));
      await Promise.all([guilty, ...innocent].map(({ ended }) => ended));
      expect(guilty.events.at(-1)).toMatchObject({ event: 'failed', data: { error: { code: 'stalled' } } });
      for (const { names } of innocent) expect(names().at(-1)).toBe('completed');
      // Lost together once; then it was alone.
      expect(ends).toHaveLength(2);
    });
  });
});
