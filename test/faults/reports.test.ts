import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type Headway, startHeadway } from '../support/headway.js';
import { inThread, jobsDir } from '../support/jobs.js';
import { startWorker } from '../support/processes.js';
import { openStream, type TestStream, watchToEnd } from '../support/sse.js';

/** The reports of a job that a viewer has received, in order. */
function reportsOf({ events }: TestStream) {
  return {
    log: events
      .filter(({ event, data }) => event === 'log' && !data.missing)
      .map(({ data }) => Number(data.message)),
    tick: events.filter(({ event }) => event === 'tick').map(({ data }) => data.data.i),
    partial: events
      .filter(({ event }) => event === 'partial')
      .map(({ data }) => data.text)
      .join('')
      .trim()
      .split(' ')
      .map(Number),
    missing: events.flatMap(({ data }) => data?.missing ?? []),
  };
}
const all = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** Temporary faults. Each function causes its fault and returns a function that ends the fault. */
const FAULTS: Record<string, (redis: Redis, headway: Headway) => Promise<() => Promise<unknown>>> = {
  'refuses writes (READONLY)': async (redis) => {
    await redis.replicaof('127.0.0.1', 1);
    return () => redis.replicaof('NO', 'ONE');
  },
  'has no memory left (OOM)': async (redis) => {
    await redis.config('SET', 'maxmemory', '1mb');
    return () => redis.config('SET', 'maxmemory', '0');
  },
  'runs a slow script (BUSY)': async (redis) => {
    await redis.config('SET', 'busy-reply-threshold', '20');
    const slow = redis.eval('while true do end', 0).catch(() => {});
    return async () => {
      // A new connection would wait for the reply to INFO first.
      const killer = redis.duplicate({ enableReadyCheck: false });
      await killer.script('KILL');
      killer.disconnect();
      await slow;
    };
  },
  'is paused': async (redis) => {
    await redis.call('CLIENT', 'PAUSE', '1000', 'ALL');
    return async () => {};
  },
  'cuts connections again and again': async (redis) => {
    let on = true;
    const cutting = (async () => {
      while (on) {
        await redis.call('CLIENT', 'KILL', 'TYPE', 'normal').catch(() => {});
        await sleep(80);
      }
    })();
    return async () => {
      on = false;
      await cutting;
    };
  },
  'forgets its scripts': async (redis) => {
    let on = true;
    const flushing = (async () => {
      while (on) {
        await redis.script('FLUSH');
        await sleep(2);
      }
    })();
    return async () => {
      on = false;
      await flushing;
    };
  },
  'is killed on its append-only file': async (_redis, { redis }) => {
    await redis.kill('SIGKILL');
    return () => redis.restart();
  },
};

describe('P11: the reports of a job, while Redis', () => {
  let headway: Headway;
  beforeAll(async () => {
    headway = await startHeadway({
      appendOnly: true,
      env: {
        JOBS_DIR: jobsDir('talker', inThread('talker')),
        // After each cut, a worker connects again for each kind of job.
        WORKER_JOBS: 'talker,talker-thread',
        WORKER_THREADS: '1',
      },
    });
  });
  afterAll(() => headway.stop());

  it.each([
    ...Object.keys(FAULTS).map((fault) => [fault, 'in the main thread', 'talker']),
    // A thread reports through the main thread, so two faults are enough.
    ...['refuses writes (READONLY)', 'cuts connections again and again'].map((fault) => [
      fault,
      'in a thread',
      'talker-thread',
    ]),
  ])('%s, arrive once and in order (%s)', async (fault, _where, name) => {
    const { client, connection } = headway;
    // The job reports for a second, as long as the fault lasts.
    const count = 250;
    const job = await client.start(name!, { count, groupMs: 20 }, { attempts: 1 });
    const stream = await openStream(client.events(job), { token: job.token });
    await stream.waitFor('tick');
    const end = await FAULTS[fault!]!(connection, headway);
    await sleep(1000);
    await end();
    const back = await watchToEnd(client.events(job), job.token);
    if (stream.names().at(-1) !== 'completed') await stream.ended;
    for (const viewer of [stream, back]) {
      expect(viewer.names().at(-1)).toBe('completed');
      expect(reportsOf(viewer)).toEqual({
        log: all(count),
        tick: all(count),
        partial: all(count),
        missing: [],
      });
      const progress = viewer.events.filter(({ event }) => event === 'progress');
      expect(progress.at(-1)!.data).toMatchObject({ current: count, percent: 100 });
    }
  });
});

describe('P11: while Redis hangs, memory is bounded', () => {
  /** The peak memory of a process, in MiB. Linux only. */
  const peakMiB = (pid: number): number =>
    Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;

  it('a job that awaits its reports waits; one that does not loses some, and the stream says how many', async () => {
    const headway = await startHeadway({
      workers: 0,
      env: { JOBS_DIR: jobsDir('talker', { file: 'talker', name: 'patient' }) },
    });
    onTestFinished(() => headway.stop());
    const { client, redis } = headway;
    const kinds = await Promise.all(
      ['talker', 'patient'].map(async (name) => {
        const worker = await startWorker({ ...headway.env, WORKER_JOBS: name });
        headway.workers.push(worker);
        // What a job that waits has not reported yet takes no memory, so it reports less.
        const wait = name === 'patient';
        const count = wait ? 300 : 1000;
        const data = { count, groupMs: wait ? 60 : 20, size: 60_000, wait };
        const jobs = await Promise.all([1, 2].map(() => client.start(name, data, { attempts: 1 })));
        const streams = await Promise.all(
          jobs.map((job) => openStream(client.events(job), { token: job.token })),
        );
        return { name, count, jobs, streams, peak: () => peakMiB(worker.child.pid!) };
      }),
    );
    for (const { streams } of kinds) await Promise.all(streams.map((stream) => stream.waitFor('tick')));
    const before = kinds.map(({ peak }) => peak());
    for (const stream of kinds.flatMap(({ streams }) => streams)) stream.close();
    redis.signal('SIGSTOP');
    await sleep(6000);
    redis.signal('SIGCONT');
    const late = await Promise.all(
      kinds.map(({ jobs }) => Promise.all(jobs.map((job) => watchToEnd(client.events(job), job.token)))),
    );
    for (const [i, { name, count, peak }] of kinds.entries()) {
      expect(peak() - before[i]!).toBeLessThan(150);
      for (const stream of late[i]!) {
        expect(stream.names().at(-1)).toBe('completed');
        const { log, tick, partial, missing } = reportsOf(stream);
        const lost = missing as Array<Record<string, number>>;
        const lostOf = (kind: string) => lost.reduce((sum, one) => sum + (one[kind] ?? 0), 0);
        expect(log.length + lostOf('log')).toBe(count);
        expect(tick.length + lostOf('event')).toBe(count);
        expect(new Set(partial).size).toBe(partial.length);
        expect(tick).toEqual([...tick].sort((a, b) => a - b));
        if (name === 'patient') expect(lost).toEqual([]);
        else expect(lostOf('event')).toBeGreaterThan(0);
      }
    }
  });
});
