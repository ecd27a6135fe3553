import { Queue } from 'bullmq';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { clientOf, type StartedJob } from '../support/client.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { startApi, startWorker, type TestProcess } from '../support/processes.js';
import { openStream, type TestStream } from '../support/sse.js';
import { until } from '../support/until.js';

const ADMIN = { ADMIN_TOKEN: 'the-admin-of-these-tests' };
const asAdmin = { Authorization: `Bearer ${ADMIN.ADMIN_TOKEN}` };
const QUICK = { count: 1, intervalMs: 1 };

const call = async (
  headway: Headway,
  name: string,
  action: string,
  headers: Record<string, string> = asAdmin,
) => fetch(`${headway.api.url}/v1/definitions/${name}/${action}`, { method: 'POST', headers });
const watch = (url: string, job: StartedJob): Promise<TestStream> =>
  openStream(clientOf(url).events(job), { token: job.token });
/** Returns whether the queue was paused, from each `queue` event of a stream. */
const pausedIn = ({ events }: TestStream): boolean[] =>
  events.flatMap(({ event, data }) => (event === 'queue' ? [data.paused] : []));
const eventNames = (stream: TestStream): string[] =>
  stream.names().filter((name) => name !== 'progress' && name !== 'log');

describe('a paused kind of job', () => {
  let headway: Headway;
  let other: TestProcess;
  let queue: Queue;
  beforeAll(async () => {
    headway = await startHeadway({ appendOnly: true, workers: 0, env: ADMIN });
    other = await startApi(headway.env);
    queue = new Queue('steps', { connection: headway.connection, prefix: '{headway}' });
  });
  afterEach(() => queue.resume());
  afterAll(async () => {
    await queue.close();
    await other.kill();
    await headway.stop();
  });

  it('is paused and resumed without any worker, through an API process', async () => {
    const job = await headway.client.start('steps', QUICK);
    const stream = await watch(headway.api.url, job);
    await stream.waitFor('waiting');
    await call(headway, 'steps', 'pause');
    await stream.waitFor(({ event, data }) => event === 'queue' && data.paused);
    await call(headway, 'steps', 'resume');
    await until('the resume is seen', () => pausedIn(stream).at(-1) === false);
    // The first event says that there is no worker.
    expect(pausedIn(stream)).toEqual([false, true, false]);
    stream.close();
  });

  describe('with a worker', () => {
    beforeAll(async () => {
      headway.workers = [await startWorker({ ...headway.env, WORKER_CONCURRENCY: '1' })];
      await queue.pause();
      const job = await headway.client.start('steps', QUICK);
      for (const { url } of [headway.api, other]) {
        const view = async () => (await (await clientOf(url).get(job)).json()) as object;
        await until('the process knows the worker', async () => !('noWorker' in (await view())));
      }
      await queue.resume();
    });

    it('starts no job until it is resumed; viewers at all API processes see both', async () => {
      const paused = await call(headway, 'steps', 'pause');
      expect([paused.status, await paused.json()]).toEqual([
        200,
        { queue: 'steps', paused: true, jobs: ['steps'] },
      ]);
      const job = await headway.client.start('steps', QUICK);
      const streams = await Promise.all([watch(headway.api.url, job), watch(other.url, job)]);
      for (const stream of streams) {
        const { data } = await stream.waitFor('queue');
        expect(data).toEqual({
          jobId: job.id,
          attempt: 0,
          paused: true,
          noWorker: false,
          at: expect.any(Number),
        });
      }
      expect(await (await headway.client.get(job)).json()).toMatchObject({ state: 'waiting', paused: true });
      const resumed = await call(headway, 'steps', 'resume');
      expect(await resumed.json()).toEqual({ queue: 'steps', paused: false, jobs: ['steps'] });
      for (const stream of streams) {
        await stream.ended;
        expect(eventNames(stream)).toEqual(['waiting', 'queue', 'queue', 'active', 'completed']);
        expect(pausedIn(stream)).toEqual([true, false]);
      }
      expect(await (await headway.client.get(job)).json()).not.toHaveProperty('paused');
      // The state of the queue is reset when the attempt starts, so a later viewer gets no `queue` event.
      const late = await watch(other.url, job);
      await late.ended;
      expect(eventNames(late)).toEqual(['waiting', 'active', 'completed']);
    });

    it('is shown to present and later viewers when BullMQ itself pauses it', async () => {
      const job = await headway.client.start('steps', QUICK, { delayMs: 120_000 });
      const live = await Promise.all([watch(headway.api.url, job), watch(other.url, job)]);
      await Promise.all(live.map((stream) => stream.waitFor('delayed')));
      await queue.pause();
      await Promise.all(live.map((stream) => stream.waitFor('queue')));
      const late = await watch(other.url, job);
      expect((await late.waitFor('queue')).data.paused).toBe(true);
      await queue.resume();
      for (const stream of [...live, late]) {
        await stream.waitFor(({ event, data }) => event === 'queue' && !data.paused);
        expect(pausedIn(stream)).toEqual([true, false]);
        stream.close();
      }
      await headway.client.cancel(job);
    });

    it('does not stop running jobs or other kinds', async () => {
      const running = await headway.client.start('steps', { count: 10, intervalMs: 30 });
      const stream = await watch(headway.api.url, running);
      await stream.waitFor('progress');
      await queue.pause();
      await stream.ended;
      expect(eventNames(stream)).toEqual(['waiting', 'active', 'completed']);
      const file = await headway.client.upload('a.txt', 'a');
      const unaffected = await headway.client.start('checksum', { file: file.id });
      const watched = await watch(headway.api.url, unaffected);
      await watched.ended;
      expect(eventNames(watched)).toEqual(['waiting', 'active', 'completed']);
    });

    it('is marked in the definitions', async () => {
      const shown = async (): Promise<unknown[]> => {
        const { definitions } = (await (await fetch(`${headway.api.url}/v1/definitions`)).json()) as {
          definitions: Array<{ name: string; queue: string; paused: boolean }>;
        };
        return definitions.map(({ name, queue, paused }) => [name, queue, paused]);
      };
      await queue.pause();
      expect(await shown()).toEqual(
        expect.arrayContaining([
          ['checksum', 'checksum', false],
          ['csv-import', 'csv-import', false],
          ['steps', 'steps', true],
        ]),
      );
      await queue.resume();
      expect(await shown()).toContainEqual(['steps', 'steps', false]);
    });

    it('can be paused by admins only', async () => {
      for (const action of ['pause', 'resume']) {
        const stranger = await call(headway, 'steps', action, {});
        expect([stranger.status, await stranger.json()]).toMatchObject([401, { code: 'sign-in' }]);
      }
      expect(await queue.isPaused()).toBe(false);
      const unknown = await call(headway, 'nothing', 'pause');
      expect([unknown.status, await unknown.json()]).toMatchObject([404, { code: 'not-found' }]);
      expect(
        (await fetch(`${headway.api.url}/v1/definitions/steps/pause`, { headers: asAdmin })).status,
      ).toBe(405);
    });

    it('shows a waiting job how many jobs are before it, once at each API process and also after an outage', async () => {
      const { client, connection, redis, api } = headway;
      // As if earlier runs had taken long.
      await connection.del('headway:{runs}:steps');
      await connection.lpush('headway:{runs}:steps', '[100000,0]', '[100000,0]', '[100000,0]');
      const jobs: StartedJob[] = [];
      for (let i = 0; i < 4; i++) jobs.push(await client.start('steps', { count: 1000, intervalMs: 100 }));
      const [first, second, third, last] = jobs as [StartedJob, StartedJob, StartedJob, StartedJob];
      const streams = await Promise.all([watch(api.url, last), watch(other.url, last)]);
      const shown = (position: number) =>
        Promise.all(
          streams.map((stream) =>
            stream.waitFor(({ event, data }) => event === 'queue' && data.position === position),
          ),
        );
      // Nobody has seen a job being taken yet.
      for (const stream of streams) {
        const { data } = await stream.waitFor(
          // Runs of the tests before that took long on a busy machine may count too.
          ({ event, data }) => event === 'queue' && data.beginsInMs > 50_000,
        );
        expect(data.position).toBe(2);
        expect(data.beginsInMs).toBeLessThan(300_000);
      }
      // An API process keeps what it has read about earlier runs for ten seconds, also that there were none.
      const view = await until('the process knows how long runs take', async () => {
        const shown = (await (await client.get(last)).json()) as { beginsInMs?: number };
        return shown.beginsInMs !== undefined && shown;
      });
      expect(view).toMatchObject({ state: 'waiting', position: 2 });
      // Nothing is published of a job without viewers, and the position of one that is not watched any more is withdrawn.
      const published = () => connection.hget(`headway:{job:${third.id}}:slots`, 'queue');
      expect(await published()).toBeNull();
      const brief = await watch(other.url, third);
      expect((await brief.waitFor('queue')).data.position).toBe(1);
      brief.close();
      await until('it is withdrawn', async () => !(await published())?.includes('position'));
      await client.cancel(first);
      await shown(1);
      await redis.kill('SIGKILL');
      await redis.restart();
      await until('it is back', async () => (await fetch(`${api.url}/readyz`)).status === 200);
      await client.cancel(second);
      await shown(0);
      await client.cancel(third);
      await Promise.all(streams.map((stream) => stream.waitFor('active')));
      await client.cancel(last);
      for (const stream of streams) {
        await stream.ended;
        const positions = stream.events.flatMap(({ event, data }) =>
          event === 'queue' && data.position !== undefined ? [data.position] : [],
        );
        // The time until it begins may have changed without the position.
        expect(positions.filter((position, i) => position !== positions[i - 1])).toEqual([2, 1, 0]);
        expect(stream.names().slice(-2)).not.toContain('queue');
      }
    });

    it('is not announced to viewers of jobs that did not wait for it', async () => {
      const job = await headway.client.start('steps', QUICK);
      const stream = await watch(headway.api.url, job);
      await stream.ended;
      expect(stream.names()).not.toContain('queue');
    });

    it('stays paused during a Redis outage, and its viewers see the later resume', async () => {
      await call(headway, 'steps', 'pause');
      const job = await headway.client.start('steps', QUICK);
      const stream = await watch(headway.api.url, job);
      await stream.waitFor('queue');
      await headway.redis.kill('SIGKILL');
      await headway.redis.restart();
      await until('it is back', async () => (await fetch(`${headway.api.url}/readyz`)).status === 200);
      expect(await (await headway.client.get(job)).json()).toMatchObject({ paused: true });
      expect((await call(headway, 'steps', 'resume')).status).toBe(200);
      await stream.ended;
      // For a viewer that is catching up, the resume may be conflated with the run that follows at once.
      expect(eventNames(stream).filter((name) => name !== 'queue')).toEqual([
        'waiting',
        'active',
        'completed',
      ]);
      // On a busy machine, further `queue` events may say that no worker was seen for a moment.
      const states = pausedIn(stream).filter((paused, i, all) => paused !== all[i - 1]);
      expect([[true], [true, false]]).toContainEqual(states);
    });
  });
});

describe('kinds that share a queue', () => {
  it('are paused together, and the response lists them', async () => {
    const headway = await startHeadway({ workers: 0, env: { ...ADMIN, QUEUE_NAME: 'all' } });
    const answer = await call(headway, 'steps', 'pause');
    expect(await answer.json()).toEqual({
      queue: 'all',
      paused: true,
      jobs: expect.arrayContaining(['checksum', 'csv-import', 'steps']),
    });
    await headway.stop();
  });
});
