import { createReadStream, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type AnyJobs,
  createClient,
  JobCancelledError,
  type JobEvent,
  JobFailedError,
  ProblemError,
  type Status,
} from '../../src/client/index.js';
import { ADMIN_TOKEN } from '../support/dashboard.js';
import type { Headway } from '../support/headway.js';
import { temporaryFolder } from '../support/processes.js';
import { borrowHeadway } from '../support/shared-headway.js';
import { until } from '../support/until.js';

describe('the client', () => {
  let headway: Headway;
  const client = () => createClient({ url: headway.api.url });
  const anyClient = () => createClient<AnyJobs>({ url: headway.api.url });
  beforeAll(async () => {
    headway = await borrowHeadway();
  });
  afterAll(() => headway.stop());

  it('starts a job and waits for its result', async () => {
    const job = await client().startJob('steps', { count: 3, intervalMs: 5 });
    expect(job.started.name).toBe('steps');
    const { steps } = await job.result();
    expect(steps).toBe(3);
    expect((await job.get()).state).toBe('completed');
    // Later calls get the result too.
    expect(await client().watchJob(job).result()).toEqual({ steps: 3 });
  });

  it('yields all events in order, each once, to every loop over a job', async () => {
    const job = await client().startJob('steps', { count: 20, intervalMs: 20 });
    const loop = async (): Promise<JobEvent[]> => {
      const events: JobEvent[] = [];
      for await (const event of job) events.push(event);
      return events;
    };
    const first = loop();
    const second = until('the job is running', async () => (await job.get()).progress?.current).then(loop);
    for (const events of await Promise.all([first, second])) {
      expect(events.map(({ event }) => event).filter((event) => event !== 'progress')).toEqual([
        'waiting',
        'active',
        'log',
        'completed',
      ]);
      const ids = events.map(({ id }) => Number(id?.split('-')[1]));
      expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b));
      const percents = events.flatMap((event) => (event.event === 'progress' ? event.data.percent : []));
      expect(percents.at(-1)).toBe(100);
    }
  });

  it('calls listeners, and survives their errors', async () => {
    const states: string[] = [];
    const statuses: Status[] = [];
    const percents: Array<number | null> = [];
    const ends: unknown[] = [];
    const job = await client().startJob(
      'steps',
      { count: 2, intervalMs: 5 },
      {
        onState: (state) => void states.push(state),
        onStatus: (status) => void statuses.push(status),
        onProgress: ({ percent }) => void percents.push(percent),
        onEnd: (error) => void ends.push(error),
      },
    );
    await job.result();
    await until('the listeners are called for the end', () => ends.length === 1);
    expect(states).toEqual(['waiting', 'active', 'completed']);
    expect(statuses).toEqual(['live', 'ended']);
    expect(percents.at(-1)).toBe(100);
    expect(ends).toEqual([undefined]);
  });

  it('uploads files of every type in the data', async () => {
    const path = join(temporaryFolder(), 'from-disk.txt');
    writeFileSync(path, 'hello');
    const files = [
      new File(['hello'], 'a.txt'),
      new Blob(['hello']),
      Buffer.from('hello'),
      createReadStream(path),
      new Blob(['hello']).stream(),
    ];
    for (const file of files) {
      const job = await client().startJob('checksum', { file });
      expect(await job.result()).toEqual({
        algorithm: 'sha256',
        bytes: 5,
        digest: '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
      });
    }
    expect((await client().upload(createReadStream(path))).name).toBe('from-disk.txt');
  });

  it("rejects with the job's error, and runs it again", async () => {
    const job = await anyClient().startJob('flaky', { failures: 1 }, { attempts: 1 });
    const failure = await job.result().catch((error) => error);
    expect(failure).toBeInstanceOf(JobFailedError);
    expect(failure).toMatchObject({ jobId: job.id, error: { message: 'no luck' }, code: 'job-failed' });
    await job.retry();
    expect(await job.result()).toEqual({ attempt: 2 });
    await expect(job.retry()).rejects.toMatchObject({ status: 409, code: 'not-failed' });
  });

  it('watches a retried job beside one that never stopped', async () => {
    const one = anyClient();
    const long = await one.startJob('steps', { count: 100, intervalMs: 20 });
    const end = long.result();
    const again = await one.startJob('flaky', { failures: 1 }, { attempts: 1 });
    await expect(again.result()).rejects.toBeInstanceOf(JobFailedError);
    await again.retry();
    expect(await again.result()).toEqual({ attempt: 2 });
    expect((await long.get()).state).toBe('active');
    expect(await end).toEqual({ steps: 100 });
  });

  it('cancels a job', async () => {
    const job = await client().startJob('steps', { count: 1000, intervalMs: 100 });
    await job.cancel();
    const error = await job.result().catch((error) => error);
    expect(error).toBeInstanceOf(JobCancelledError);
    expect(error.reason).toBe('requested');
  });

  it('reports what is wrong with a start, and where', async () => {
    const error = await client()
      // biome-ignore lint/suspicious/noExplicitAny: wrong on purpose
      .startJob('steps', { count: 'three', intervalMs: 1 } as any)
      .catch((error) => error);
    expect(error).toBeInstanceOf(ProblemError);
    expect(error.problem).toMatchObject({
      status: 422,
      code: 'invalid-data',
      errors: [{ pointer: '/data/count' }],
    });
  });

  it('starts one job for an idempotency key', async () => {
    const start = () =>
      client().startJob('steps', { count: 1, intervalMs: 1 }, { idempotencyKey: 'the-same-key-for-both' });
    const [one, two] = await Promise.all([start(), start()]);
    expect(one.id).toBe(two.id);
  });

  it('accepts links with their token, but not those of another service', async () => {
    const { id, token, links } = await client().startJob('steps', { count: 1, intervalMs: 1 });
    const { url } = headway.api;
    for (const link of [links.self, `${url}${links.events}`, `v1/jobs/${id}`]) {
      expect(await client().watchJob(`${link}?token=${token}`).result()).toEqual({ steps: 1 });
    }
    expect(() => client().watchJob(`https://example.com${links.self}`)).toThrow(/another service/);
    expect(() => client().watchJob('/elsewhere')).toThrow(TypeError);
  });

  it('stops when one job is refused, and keeps watching the others', async () => {
    const one = client();
    const good = await one.startJob('steps', { count: 10, intervalMs: 50 });
    const result = good.result();
    const bad = one.watchJob('steps.00000000-0000-4000-8000-000000000000');
    await expect(bad.result()).rejects.toMatchObject({ status: 404, code: 'not-found' });
    expect(await result).toEqual({ steps: 10 });
  });

  it('stops watching when the signal is aborted, and the job continues', async () => {
    const job = await client().startJob('steps', { count: 1000, intervalMs: 50 });
    const controller = new AbortController();
    const watched = client().watchJob(job, { signal: controller.signal });
    const seen: string[] = [];
    const loop = async () => {
      for await (const { event } of watched) {
        seen.push(event);
        if (event === 'progress') controller.abort(new Error('enough'));
      }
    };
    await expect(loop()).rejects.toThrow('enough');
    await expect(watched.result()).rejects.toThrow('enough');
    expect((await job.get()).state).toBe('active');
    for await (const { event } of job) if (event === 'progress') break;
    await job.cancel();
  });

  it('watches one or several channels over one connection', async () => {
    const one = client();
    const admin = createClient({ url: headway.api.url, token: ADMIN_TOKEN });
    await admin.publish('news.a', { event: 'old', data: 'before' });
    const seen: unknown[] = [];
    let live = 0;
    const both = one.watchChannels(['news.a', 'news.b'], {
      last: 1,
      onEvent: ({ channel, event, data }) => void seen.push([channel, event, data]),
      onStatus: (status) => {
        if (status === 'live') live++;
      },
    });
    await until('both channels are live', () => live === 2);
    await until('the old event has arrived', () => seen.length === 1);
    await admin.publish('news.b', { event: 'score', data: { runs: 4 } });
    await until('the first new event has arrived', () => seen.length === 2);
    await admin.publish('news.a', { data: 'two\nlines' });
    await until('both new events have arrived', () => seen.length === 3);
    expect(seen).toEqual([
      ['news.a', 'old', 'before'],
      ['news.b', 'score', { runs: 4 }],
      ['news.a', 'message', 'two\nlines'],
    ]);
    both.close();
    const again = one.watchChannel<string>('news.a', { last: 2 })[Symbol.asyncIterator]();
    expect(await again.next()).toMatchObject({ done: false, value: { data: 'before' } });
    await again.return?.();
    await expect(
      (async () => {
        for await (const _ of one.watchChannel('secret')) expect.unreachable();
      })(),
    ).rejects.toMatchObject({ status: 401, code: 'sign-in' });
  });

  it('follows many jobs over one connection while jobs are added and removed', async () => {
    let open = 0;
    let most = 0;
    let opened = 0;
    const counting: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      if (!response.headers.get('content-type')?.startsWith('text/event-stream')) return response;
      opened++;
      most = Math.max(most, ++open);
      init?.signal?.addEventListener('abort', () => open--, { once: true });
      return response;
    };
    const one = createClient({ url: headway.api.url, fetch: counting });
    const loops: Array<Promise<JobEvent[]>> = [];
    for (let i = 0; i < 12; i++) {
      const job = await one.startJob('steps', { count: 20 + i, intervalMs: 20 });
      loops.push(
        (async () => {
          const events: JobEvent[] = [];
          for await (const event of job) events.push(event);
          return events;
        })(),
      );
    }
    for (const [i, events] of (await Promise.all(loops)).entries()) {
      const names = events.map(({ event }) => event);
      expect(names.filter((name) => name !== 'progress')).toEqual(['waiting', 'active', 'log', 'completed']);
      expect(events.at(-1)?.data).toMatchObject({ result: { steps: 20 + i } });
      const ids = events.map(({ id }) => id);
      expect(new Set(ids).size).toBe(ids.length);
    }
    expect(most).toBe(1);
    expect(opened).toBeLessThan(12);
  });
});
