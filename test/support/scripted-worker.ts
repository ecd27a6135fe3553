import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { StartedJob } from './client.js';
import type { RunningCommand } from './example.js';
import { temporaryFolder } from './folder.js';
import type { Headway } from './headway.js';
import { openStream, type TestStream } from './sse.js';
import { until } from './until.js';

/** What an attempt of the job `scripted` does, in order: each step has one field. */
type Step =
  | { progress: Record<string, unknown> }
  | { log: string[] }
  /** Waits for a file, and ends when it is asked to stop. */
  | { until: string }
  /** Waits for a file, whatever happens. */
  | { blocked: string }
  | { fail: string }
  | { permanent: string }
  | { result: unknown };

/**
 * Tests a worker in another language, whose program in test/support/scripted-worker does what each job says. The service
 * must know `scripted` and `parent-of-scripted` of test/jobs.
 */
export function workerContract(contextOf: () => { headway: Headway; start(): RunningCommand }): void {
  let headway: Headway;
  let worker: RunningCommand;
  let folder: string;
  const others: RunningCommand[] = [];
  const startWorker = async (): Promise<RunningCommand> => {
    const started = contextOf().start();
    await until('the worker is ready', () => /ready: /.test(started.output()));
    return started;
  };
  beforeAll(async () => {
    headway = contextOf().headway;
    worker = await startWorker();
  });
  beforeEach(() => {
    folder = temporaryFolder();
  });
  afterAll(() => Promise.all([worker, ...others].map((each) => each.stop('SIGKILL'))));

  const gate = (name: string) => ({
    path: join(folder, name),
    open: () => writeFileSync(join(folder, name), ''),
  });
  async function start(
    attempts: Step[][],
    options?: Record<string, unknown>,
  ): Promise<StartedJob & { stream: TestStream }> {
    const job = await headway.client.start('scripted', { attempts }, options);
    return { ...job, stream: await openStream(headway.client.events(job), { token: job.token }) };
  }
  /** The names of the events but `progress`, with the attempt of each. */
  const lifecycle = ({ events }: TestStream): string[] =>
    events
      .filter(({ event }) => !['progress', 'log', 'queue'].includes(event))
      .map(({ event, data }) => `${event} ${data.attempt}`);
  const dataOf = ({ events }: TestStream, name: string) =>
    events.filter(({ event }) => event === name).map(({ data }) => data);

  it('shows progress, log lines and the result, as a job of Headway does', async () => {
    const [first, second] = [gate('first'), gate('second')];
    const { id, stream, token, ...job } = await start([
      [
        { log: ['Grüße, 世界 👩‍🚀', 'two\nlines'] },
        { progress: { current: 1, total: 4, unit: 'files', stage: 'read', message: 'ä.txt' } },
        { until: first.path },
        { log: ['third'] },
        { until: second.path },
        { progress: { current: 4, total: 4, unit: 'files', stage: 'read' } },
        { result: { files: 4, name: 'ü', none: [] } },
      ],
    ]);
    const { data } = await stream.waitFor('progress');
    expect(data).toEqual({
      jobId: id,
      attempt: 1,
      percent: 25,
      current: 1,
      total: 4,
      unit: 'files',
      stage: 'read',
      message: 'ä.txt',
      at: expect.any(Number),
    });
    first.open();
    // A line needs no progress to be published.
    await stream.waitFor(({ data }) => data.message === 'third');
    second.open();
    await stream.ended;
    expect(stream.names()).toEqual([
      'waiting',
      'active',
      'log',
      'log',
      'progress',
      'log',
      'progress',
      'completed',
    ]);
    expect(dataOf(stream, 'log').map(({ message }) => message)).toEqual([
      'Grüße, 世界 👩‍🚀',
      'two\nlines',
      'third',
    ]);
    expect(dataOf(stream, 'progress').at(-1)).toMatchObject({ percent: 100, current: 4 });
    expect(stream.events.at(-1)!.data).toMatchObject({
      attempt: 1,
      result: { files: 4, name: 'ü', none: [] },
    });
    const result = await headway.client.result({ id, token, ...job });
    expect(await result.json()).toEqual({ files: 4, name: 'ü', none: [] });
  });

  it('fails, and is retried unless that would not help', async () => {
    const [first, second] = [gate('first'), gate('second')];
    const retried = await start(
      [
        [{ progress: { current: 8, total: 10 } }, { until: first.path }, { fail: 'no luck: ☔' }],
        [{ until: second.path }, { result: 'at last' }],
      ],
      { attempts: 3, backoff: { type: 'fixed', delayMs: 100 } },
    );
    await retried.stream.waitFor('progress');
    first.open();
    await retried.stream.waitFor(({ event, data }) => event === 'active' && data.attempt === 2);
    second.open();
    await retried.stream.ended;
    expect(lifecycle(retried.stream)).toEqual([
      'waiting 0',
      'active 1',
      'retrying 1',
      'active 2',
      'completed 2',
    ]);
    expect(dataOf(retried.stream, 'retrying')).toMatchObject([{ error: { message: 'no luck: ☔' } }]);
    expect(dataOf(retried.stream, 'progress')).toMatchObject([{ attempt: 1, percent: 80 }]);

    // It ends before anybody has published that it began.
    const permanent = await start([[{ log: ['quick'] }, { permanent: 'no such file' }]], { attempts: 3 });
    await permanent.stream.ended;
    expect(lifecycle(permanent.stream)).toEqual(['waiting 0', 'active 1', 'failed 1']);
    expect(dataOf(permanent.stream, 'log')).toMatchObject([{ message: 'quick' }]);
    expect(dataOf(permanent.stream, 'failed')).toMatchObject([
      { error: { message: 'no such file', code: 'permanent' } },
    ]);
  });

  it('stops when it is cancelled or takes too long, and the worker goes on', async () => {
    const never = gate('never').path;
    const job = await start([[{ progress: { current: 1, total: 2 } }, { until: never }]]);
    await job.stream.waitFor('progress');
    const next = await start([[{ result: 1 }]]);
    // It waits for this worker, not for any.
    expect(await (await headway.client.get(next)).json()).not.toHaveProperty('noWorker');
    await headway.client.cancel(job);
    await Promise.all([job, next].map(({ stream }) => stream.ended));
    expect(next.stream.names().at(-1)).toBe('completed');
    expect(lifecycle(job.stream)).toEqual(['waiting 0', 'active 1', 'cancelled 1']);

    const slow = await start([[{ until: never }]], { timeoutMs: 100, attempts: 2 });
    await slow.stream.ended;
    expect(lifecycle(slow.stream)).toEqual(['waiting 0', 'active 1', 'failed 1']);
    expect(dataOf(slow.stream, 'failed')).toMatchObject([
      { error: { message: 'exceeded its time limit of 100 ms', code: 'timeout' } },
    ]);
  });

  it('is the child of a job of Headway', async () => {
    const job = await headway.client.start('parent-of-scripted', null);
    const stream = await openStream(headway.client.events(job), { token: job.token });
    await stream.ended;
    expect(stream.events.at(-1)).toMatchObject({
      event: 'completed',
      data: { result: { good: [5], bad: 'failed' } },
    });
  });

  it('says everything once, although Redis restarts', async () => {
    const [during, end] = [gate('during'), gate('end')];
    const lines = (from: number): string[] => Array.from({ length: 50 }, (_, i) => `line ${from + i}`);
    const { stream } = await start([
      [
        { log: lines(0) },
        { progress: { current: 10, total: 100 } },
        { blocked: during.path },
        ...lines(50).map((line) => ({ log: [line] })),
        { progress: { current: 90, total: 100 } },
        { until: end.path },
        { result: 'done' },
      ],
    ]);
    await stream.waitFor('progress');
    await headway.redis.kill();
    during.open();
    await headway.redis.restart();
    await stream.waitFor(({ event, data }) => event === 'progress' && data.percent === 90);
    end.open();
    await stream.ended;
    const ofLast = (name: string) =>
      dataOf(stream, name).filter(({ attempt }) => attempt === stream.events.at(-1)!.data.attempt);
    expect(stream.names().at(-1)).toBe('completed');
    expect(ofLast('log').map(({ message }) => message)).toEqual([...lines(0), ...lines(50)]);
    expect(stream.events.at(-1)!.data).toMatchObject({ result: 'done' });
  });

  it('has long texts cut, and fails with what was wrong', async () => {
    const job = await start([[{ log: ['ü'.repeat(100_000)] }, { fail: '世'.repeat(100_000) }]]);
    await job.stream.ended;
    expect(dataOf(job.stream, 'log')[0].message).toBe(`${'ü'.repeat(10_000)}… (cut)`);
    expect(dataOf(job.stream, 'failed')[0].error.message).toMatch(/^世{9900,10000}(?:…| |\(|\)|cut)*$/);

    // A half of a surrogate pair is no text. Go replaces it; Python's is refused.
    const half = await start([[{ result: '\ud800' }]]);
    await half.stream.ended;
    expect(JSON.stringify(half.stream.events.at(-1)!.data)).toMatch(/\ufffd|HEADWAY the result is not JSON/);

    const wrong = await start([[{ progress: { current: 1, total: 2 } }]]);
    await wrong.stream.ended;
    // JSON has no NaN, which is what the program returns without a result.
    expect(dataOf(wrong.stream, 'failed')[0].error.message).toMatch(/NaN|JSON compliant/);
    expect(dataOf(wrong.stream, 'progress')).toMatchObject([{ percent: 50 }]);
  });

  it('is taken again when its worker is killed, and handed back when its worker ends', async () => {
    const end = gate('end');
    const { stream } = await start([
      [{ progress: { current: 1, total: 2 } }, { until: end.path }, { result: 1 }],
    ]);
    await stream.waitFor('progress');
    await worker.stop('SIGKILL');
    const second = await startWorker();
    others.push(second);
    await stream.waitFor(({ event, data }) => event === 'progress' && data.attempt === 2);
    others.push(await startWorker());
    await second.stop('SIGTERM');
    await stream.waitFor(({ event, data }) => event === 'active' && data.attempt === 3);
    end.open();
    await stream.ended;
    expect(lifecycle(stream).filter((event) => !event.startsWith('waiting'))).toEqual([
      'active 1',
      'stalled 1',
      'active 2',
      'active 3',
      'completed 3',
    ]);
  });
}
