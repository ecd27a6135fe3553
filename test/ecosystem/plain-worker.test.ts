import { readFileSync } from 'node:fs';
import { DelayedError, type Job, type Queue } from 'bullmq';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type PlainBullMq, plainBullMq } from '../support/bullmq.js';
import { runCommand } from '../support/example.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { jobsDir } from '../support/jobs.js';
import { startWorker } from '../support/processes.js';
import { workerContract } from '../support/scripted-worker.js';
import { openStream, type ReceivedEvent, type TestStream } from '../support/sse.js';
import { until } from '../support/until.js';

const ADMIN_TOKEN = 'the-token-of-an-admin';

/** A gate at which a processor waits. */
function gate(): { open: () => void; opened: Promise<void> } {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

const percents = ({ events }: TestStream): unknown[] =>
  events.flatMap(({ event, data }) => (event === 'progress' ? [data.percent] : []));

/** Checks that offsets rise, that progress never goes back within an attempt, and that the stream has one end, the last event. */
function expectSound({ events, names }: TestStream): void {
  const offsets = events.map(({ id }) => Number(id!.split('-')[1]));
  expect(offsets).toEqual([...new Set(offsets)].sort((a, b) => a - b));
  const ends = names().filter((name) => ['completed', 'failed', 'cancelled'].includes(name));
  expect(ends).toHaveLength(1);
  expect(names().at(-1)).toBe(ends[0]);
  const seen = new Map<number, number>();
  for (const { event, data } of events) {
    if (event !== 'progress' || data.percent === null) continue;
    expect(data.percent).toBeGreaterThanOrEqual(seen.get(data.attempt) ?? 0);
    seen.set(data.attempt, data.percent);
  }
}

describe.each([
  ['a worker of Headway follows the queues', 1],
  ['an API process follows the queues', 0],
])('P10: a plain BullMQ worker, while %s', (_who, workers) => {
  let headway: Headway;
  let plain: PlainBullMq;
  let queue: Queue;
  beforeAll(async () => {
    headway = await startHeadway({ workers, env: { ADMIN_TOKEN, WORKER_JOBS: 'checksum' } });
  });
  beforeEach(() => {
    plain = plainBullMq(headway);
    queue = plain.queue('steps');
  });
  afterEach(() => plain.close());
  afterAll(() => headway.stop());

  const watch = (jobId: string): Promise<TestStream> =>
    openStream(`${headway.api.url}/v1/jobs/${jobId}/events`, { token: ADMIN_TOKEN });
  const show = async (jobId: string) =>
    (await (
      await fetch(`${headway.api.url}/v1/jobs/${jobId}`, {
        headers: { Authorization: `Bearer ${ADMIN_TOKEN}` },
      })
    ).json()) as Record<string, unknown>;

  it('shows its progress live and to late viewers', async () => {
    const [first, second] = [gate(), gate()];
    plain.worker('steps', async (job) => {
      await job.updateProgress(42);
      await first.opened;
      await job.updateProgress({ percent: 80.126, message: 'nearly', stage: 'last', colour: 'red' });
      await second.opened;
      return { done: true };
    });
    const job = await headway.client.start('steps', { count: 1, intervalMs: 1 });
    const stream = await openStream(headway.client.events(job), { token: job.token });
    const { data } = await stream.waitFor('progress');
    expect(data).toEqual({ jobId: job.id, attempt: 1, percent: 42, at: expect.any(Number) });
    expect(Math.abs(Date.now() - data.at)).toBeLessThan(5000);
    expect(await show(job.id)).toMatchObject({ state: 'active', progress: { percent: 42 } });

    const late = await watch(job.id);
    await late.waitFor('progress');
    expect(late.names()).toEqual(['waiting', 'active', 'progress']);
    first.open();
    const { data: next } = await stream.waitFor(({ data }) => data.percent === 80.13);
    expect(next).toEqual({
      jobId: job.id,
      attempt: 1,
      percent: 80.13,
      stage: 'last',
      message: 'nearly',
      at: expect.any(Number),
    });
    second.open();
    await Promise.all([stream.ended, late.ended]);
    expect(stream.names()).toEqual(['waiting', 'active', 'progress', 'progress', 'completed']);
    expect(late.names()).toEqual(stream.names());
    expect(stream.events.at(-1)!.data.result).toEqual({ done: true });
  });

  it('shows progress that never goes back within an attempt, and begins again in the next one', async () => {
    const steps = [30, { percent: 20, message: 'back' }, 60];
    const gates = [...steps, 0].map(gate);
    plain.worker('steps', async (job) => {
      if (job.attemptsStarted === 2) {
        await job.updateProgress(5);
        await gates.at(-1)!.opened;
        return 'done';
      }
      for (const [i, step] of steps.entries()) {
        await job.updateProgress(step);
        await gates[i]!.opened;
        await job.updateProgress(1);
      }
      throw new Error('no luck');
    });
    const job = await queue.add('steps', {}, { attempts: 2 });
    const jobId = `steps..${job.id}`;
    const stream = await until('the job is known', async () => {
      const opened = await watch(jobId);
      return opened.status === 200 ? opened : undefined;
    });
    const numberOf = (count: number) =>
      until('the update has arrived', () => percents(stream).length === count);
    for (const [i] of steps.entries()) {
      await numberOf(i + 1);
      gates[i]!.open();
    }
    await numberOf(4);
    gates.at(-1)!.open();
    await stream.ended;
    expect(percents(stream)).toEqual([30, 30, 60, 5]);
    expect(stream.events.flatMap(({ data }) => data.message ?? [])).toEqual(['back']);
    // The job may have begun before its channel existed.
    expect(stream.names().filter((name) => name !== 'progress' && name !== 'waiting')).toEqual([
      'active',
      'retrying',
      'active',
      'completed',
    ]);
    expectSound(stream);
  });

  it('has its hot loop of updates coalesced, with the last update before the end', async () => {
    plain.worker('steps', async (job) => {
      for (let i = 1; i <= 1000; i++) await job.updateProgress({ current: i, total: 1000 });
    });
    const job = await headway.client.start('steps', { count: 1, intervalMs: 1 });
    const stream = await openStream(headway.client.events(job), { token: job.token });
    await stream.ended;
    expectSound(stream);
    const progress = stream.events.filter(({ event }) => event === 'progress');
    expect(progress.at(-1)!.data).toMatchObject({ percent: 100, current: 1000, total: 1000 });
    const [began, ended] = [stream.events.find(({ event }) => event === 'active')!, stream.events.at(-1)!];
    // One event for each interval of 100 ms, and one at the end.
    expect(progress.length).toBeLessThanOrEqual((ended.data.at - began.data.at) / 100 + 2);
    expect(stream.names().at(-2)).toBe('progress');
  });

  it('shows each of its log lines on the stream once, in order', async () => {
    const middle = gate();
    plain.worker('steps', async (job) => {
      for (let i = 0; i < 20; i++) await job.log(`line ${i}`);
      await job.updateProgress(50);
      await middle.opened;
      await job.log('last words');
      throw new Error('out of luck');
    });
    const job = await headway.client.start('steps', { count: 1, intervalMs: 1 });
    const stream = await openStream(headway.client.events(job), { token: job.token });
    await stream.waitFor('progress');
    const late = await watch(job.id);
    middle.open();
    await Promise.all([stream.ended, late.ended]);
    const lines = [...Array.from({ length: 20 }, (_, i) => `line ${i}`), 'last words'];
    for (const { events } of [stream, late]) {
      const logs = events.filter(({ event }) => event === 'log').map(({ data }) => data);
      expect(logs.map(({ message }) => message)).toEqual(lines);
      expect(logs[0]).toMatchObject({ jobId: job.id, attempt: 1, level: 'info' });
    }
    expect(stream.names().at(-1)).toBe('failed');
  });

  it('has all of its events published although the job ended before the queue follower saw it', async () => {
    plain.worker('steps', async (job: Job) => {
      await job.log('quick');
      await job.updateProgress(99);
      return job.id;
    });
    const jobs = await queue.addBulk(Array.from({ length: 30 }, () => ({ name: 'steps', data: {} })));
    for (const { id } of jobs) {
      const jobId = `steps..${id}`;
      const stream = await until('the end is published', async () => {
        const opened = await watch(jobId);
        if (opened.status === 200) await opened.ended;
        return opened.events.length > 0 ? opened : undefined;
      });
      expectSound(stream);
      expect(stream.names().filter((name) => name !== 'progress' && name !== 'waiting')).toEqual([
        'active',
        'log',
        'completed',
      ]);
      expect(await show(jobId)).toMatchObject({
        state: 'completed',
        result: id,
        progress: { jobId, attempt: 1, percent: 99 },
      });
    }
  });

  it('may remove finished jobs: viewers still get the real end', async () => {
    const fates = Array.from({ length: 20 }, (_, i) => i % 2 === 0);
    plain.worker(
      'steps',
      async ({ data }) => {
        if (data.intervalMs === 0) throw new Error('out of luck');
        return 'done';
      },
      { removeOnComplete: { count: 0 }, removeOnFail: { count: 0 } },
    );
    await Promise.all(
      fates.map(async (lucky) => {
        const job = await headway.client.start('steps', { count: 1, intervalMs: lucky ? 1 : 0 });
        const stream = await openStream(headway.client.events(job), { token: job.token });
        await stream.ended;
        expect(stream.events.at(-1)).toMatchObject(
          lucky
            ? { event: 'completed', data: { result: 'done' } }
            : { event: 'failed', data: { error: { message: 'out of luck' } } },
        );
        expectSound(stream);
      }),
    );
  });

  it('may delay its job while it runs: viewers see the new time, and the job beginning again', async () => {
    plain.worker('steps', async (job, token) => {
      if (job.attemptsStarted > 1) return 'done';
      await job.updateProgress(50);
      await job.moveToDelayed(Date.now() + 1500, token);
      throw new DelayedError();
    });
    const job = await headway.client.start('steps', { count: 1, intervalMs: 1 });
    const stream = await openStream(headway.client.events(job), { token: job.token });
    const { data } = await stream.waitFor('delayed');
    expect(data).toMatchObject({ attempt: 1, until: expect.any(Number) });
    await stream.ended;
    expect(stream.names().filter((name) => name !== 'waiting')).toEqual([
      'active',
      'progress',
      'delayed',
      'active',
      'completed',
    ]);
    expect(stream.events.at(-1)!.data.attempt).toBe(2);
  });

  it('cannot break a stream with odd progress values', async () => {
    const reports = [
      true,
      'almost\ndone',
      '12.5%',
      { unit: 'x'.repeat(9000), percent: Number.NaN },
      ['a'],
      { percent: 1e300 },
    ];
    const gates = reports.map(gate);
    plain.worker('steps', async (job) => {
      for (const [i, report] of reports.entries()) {
        await job.updateProgress(report);
        await gates[i]!.opened;
      }
    });
    const job = await headway.client.start('steps', { count: 1, intervalMs: 1 });
    const stream = await openStream(headway.client.events(job), { token: job.token });
    for (const [i] of reports.entries()) {
      await until('the update has arrived', () => percents(stream).length === i + 1);
      gates[i]!.open();
    }
    await stream.ended;
    expectSound(stream);
    expect(percents(stream)).toEqual([null, null, 12.5, 12.5, 12.5, 100]);
    const said = stream.events.filter(({ event }) => event === 'progress').map(({ data }) => data.message);
    expect(said).toEqual([undefined, 'almost\ndone', ...Array(4).fill(undefined)]);
  });
});

describe('P10: beside workers of Headway', () => {
  let headway: Headway;
  let plain: PlainBullMq;
  beforeAll(async () => {
    const env = { ADMIN_TOKEN, JOBS_DIR: jobsDir('scripted', 'parent-of-scripted') };
    headway = await startHeadway({ env, appendOnly: true, restricted: true });
    plain = plainBullMq(headway);
  });
  afterAll(async () => {
    await plain.close();
    await headway.stop();
  });

  it('progress that Headway published is not published again', async () => {
    const job = await headway.client.start('steps', { count: 60, intervalMs: 50 });
    const stream = await openStream(headway.client.events(job), { token: job.token });
    await stream.waitFor('progress');
    // Another tool reports progress of a job that Headway runs.
    await (await plain.queue('steps').getJob(job.id))!.updateProgress(99);
    await stream.ended;
    expectSound(stream);
    const progress = stream.events.filter(({ event }) => event === 'progress');
    expect(progress.length).toBeGreaterThan(10);
    // A second copy would have the same time, or lack `unit` and `total`.
    expect(new Set(progress.map(({ data }) => data.at)).size).toBe(progress.length);
    for (const { data } of progress) expect(data).toMatchObject({ unit: 'steps', total: 60 });
    expect(stream.names().filter((name) => name === 'log')).toHaveLength(1);
  });

  it('the script for other languages refuses wrong calls, and the job stays as it is', async () => {
    const lua = readFileSync('dist/shared/bullmq/scripts/worker.lua', 'utf8');
    const call = (...args: Array<string | number>): Promise<unknown> =>
      headway.connection.eval(lua, 1, '{headway}:scripted:meta', ...args).catch((error) => error.message);
    const job = await headway.client.start('scripted', { attempts: [] });
    const token = 'the-token-of-a-worker';
    expect(await call('take', token, 30_000)).toEqual([
      'job',
      job.id,
      'scripted',
      '{"attempts":[]}',
      '1',
      '1',
    ]);
    const stream = await openStream(headway.client.events(job), { token: job.token });
    const refusals: Array<[args: Array<string | number>, why: RegExp]> = [
      [['stop', token, 30_000, job.id], /^HEADWAY unknown command "stop"/],
      [['progress', token, 30_000, job.id], /needs 5 arguments/],
      [['take', 'short', 30_000], /the token must have 8 to 200 visible ASCII characters/],
      [['hold', token, 'soon', job.id], /the time of the lock must be 1000 to 86400000 ms/],
      [['hold', token, 30_000, ''], /the id of the job is missing/],
      [['progress', token, 30_000, job.id, '{"percent": NaN}'], /the progress is not JSON: .* character 13/],
      [['progress', token, 30_000, job.id, '[1]'], /the progress must be a number or an object/],
      [['progress', token, 30_000, job.id, '{"jobId":"x","attempt":1}'], /must not contain jobId or attempt/],
      [['progress', token, 30_000, job.id, `"${'x'.repeat(70_000)}"`], /more than 65536 bytes/],
      [['log', token, 30_000, job.id, 2, 'second'], /line 1 is missing: the last one was 0/],
      [['log', token, 30_000, job.id, 'x', 'first'], /must be a whole number from 1/],
      [['complete', token, 30_000, job.id, '{"a":'], /the result is not JSON/],
      [['fail', token, 30_000, job.id, 'no', 'maybe'], /not "maybe"/],
      [['fail', token, 30_000, job.id, '', 'cancel'], /nobody has cancelled the job/],
      [['fail', token, 30_000, job.id, '', 'timeout'], /the job has no time limit/],
    ];
    for (const [args, why] of refusals) expect(await call(...args)).toMatch(why);
    for (const command of ['hold', 'release'])
      expect(await call(command, 'the-token-of-another', 30_000, job.id)).toEqual(['lost']);
    // A call whose reply was lost is sent again.
    for (let i = 0; i < 2; i++)
      expect(await call('log', token, 30_000, job.id, 1, 'one', 'two')).toEqual(['ok']);
    // The follower of the queue learns of the lines from an event. Otherwise, it finds them two seconds later.
    const entries = await headway.connection.xrevrange('{headway}:scripted:events', '+', '-', 'COUNT', 100);
    expect(entries.filter(([, fields]) => fields.includes('log'))).toMatchObject([
      [expect.any(String), ['event', 'log', 'jobId', job.id]],
    ]);
    expect(await call('complete', token, 30_000, job.id, '[]')).toEqual(['completed']);
    expect(await call('complete', token, 30_000, job.id, '[]')).toEqual(['lost']);
    await stream.ended;
    expect(stream.names()).toEqual(['waiting', 'active', 'log', 'log', 'completed']);
    expect(stream.events.at(-1)!.data.result).toEqual([]);
    expect(await call('take', token, 30_000)).toEqual(['none', '5000']);
  });

  describe.skipIf(process.env.WITHOUT_CELERY)('a worker in Python', () => {
    workerContract(() => ({
      headway,
      start: () =>
        runCommand('exec /usr/bin/python3 test/support/scripted-worker/worker.py examples/python-worker', {
          REDIS_URL: headway.env.REDIS_URL!,
        }),
    }));
  });

  it('progress continues, and never goes back, when the queue follower is killed and Redis restarts', async () => {
    const worker = await startWorker({ ...headway.env, WORKER_JOBS: 'checksum' });
    await headway.workers[0]!.kill();
    let percent = 0;
    let last = 20_000;
    plain.worker('steps', async (job) => {
      for (; percent < last; percent++) {
        await job.updateProgress(percent / 200);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    });
    const job = await headway.client.start('steps', { count: 1, intervalMs: 1 });
    const stream = await openStream(headway.client.events(job), { token: job.token });
    const moves = async (): Promise<ReceivedEvent> => {
      const from = percent / 200;
      return stream.waitFor(({ event, data }) => event === 'progress' && data.percent > from);
    };
    await moves();
    await worker.kill();
    await moves();
    await headway.redis.kill();
    await headway.redis.restart();
    await moves();
    last = percent;
    await stream.ended;
    expectSound(stream);
    expect(stream.names().at(-1)).toBe('completed');
  });
});
