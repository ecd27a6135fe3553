import { existsSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { Queue } from 'bullmq';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FileStore, openFileStore } from '../../src/shared/files/store.js';
import { createHeldFiles } from '../../src/shared/job-index/held-files.js';
import { createKeyspace } from '../../src/shared/keyspace.js';
import { createSnapshotReader } from '../../src/shared/lifecycle/snapshot.js';
import type { StartedJob } from '../support/client.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { jobsDir } from '../support/jobs.js';
import { startWorker, type TestProcess } from '../support/processes.js';
import { schedulesOf, userToken } from '../support/schedules.js';
import { until } from '../support/until.js';

/** So long that no file expires by itself: the test sets back the time of its last use. */
const TTL_MS = 60_000;

describe('an expired file', () => {
  let headway: Headway;
  let store: FileStore;
  let worker: TestProcess | undefined;
  let readers: Queue;
  let token: string;

  beforeAll(async () => {
    const env = {
      FILES_TTL_MS: String(TTL_MS),
      JOBS_DIR: jobsDir('reader', 'slow-maker'),
    };
    headway = await startHeadway({ workers: 0, env });
    store = openFileStore({
      dir: join(headway.env.DATA_DIR!, 'files'),
      ttlMs: TTL_MS,
      minFreeBytes: 0,
      maxBytes: 1e9,
    });
    readers = new Queue('reader', { connection: headway.connection, prefix: '{headway}' });
    token = await userToken(headway, 'ada');
  });
  afterAll(async () => {
    await worker?.kill();
    await readers.close();
    await headway.stop();
  });

  const upload = async (text: string): Promise<string> => (await headway.client.upload('x.txt', text)).id;
  const reads = (file: string, options?: Record<string, unknown>): Promise<StartedJob> =>
    headway.client.start('reader', { path: ['file'], in: { file } }, options);
  const isThere = (id: string): boolean => existsSync(join(headway.env.DATA_DIR!, 'files', id, 'content'));

  /** Sets the last use of files back by years, and removes those that no job holds. */
  async function expire(...ids: string[]): Promise<void> {
    for (const id of ids) utimesSync(join(headway.env.DATA_DIR!, 'files', id, 'file.json'), 1, 1);
    const keyspace = createKeyspace('headway');
    const readJob = createSnapshotReader(headway.connection, keyspace);
    await store.sweep(createHeldFiles({ redis: headway.connection, keyspace, readJob }));
    for (const id of ids.filter(isThere)) {
      // As if no process had renewed the held files since then.
      utimesSync(join(headway.env.DATA_DIR!, 'files', id, 'file.json'), 1, 1);
    }
  }
  /** Starts the worker, unless it runs. Jobs that shall wait before that come in the first tests, or are delayed or paused. */
  const runWorker = async (): Promise<void> => {
    worker ??= await startWorker(headway.env);
  };
  const view = async (job: StartedJob): Promise<Record<string, unknown>> =>
    (await (await headway.client.get(job)).json()) as Record<string, unknown>;
  const end = (job: StartedJob): Promise<Record<string, unknown>> =>
    until(`${job.id} has ended`, async () => {
      const now = await view(job);
      return ['completed', 'failed', 'cancelled'].includes(now.state as string) ? now : undefined;
    });

  it('can be used by a new job while another job holds it', async () => {
    const file = await upload('shared');
    const first = await reads(file, { delayMs: 3_600_000 });
    await expire(file);
    const second = await reads(file);
    await headway.client.cancel(first);
    await (await readers.getJob(first.id))!.remove();
    await expire(file);
    await runWorker();
    expect(await end(second)).toMatchObject({ state: 'completed', result: { text: 'shared' } });
  });

  it('is kept for each job that had to wait: delayed, paused, prioritized, or behind others', async () => {
    const texts = ['waiting', 'delayed', 'prioritized', 'array', 'deep', 'behind others'];
    const files = await Promise.all(texts.map(upload));
    const deep = JSON.parse(`${'{"a":'.repeat(150)}"${files[4]}"${'}'.repeat(150)}`);
    await readers.pause();
    const jobs = [
      await reads(files[0]!),
      await reads(files[1]!, { delayMs: 6000 }),
      await reads(files[2]!, { priority: 7 }),
      await headway.client.start('reader', { path: ['x', 1, 'y'], in: { x: [0, { y: files[3] }] } }),
      await headway.client.start('reader', { path: Array(150).fill('a'), in: deep }),
    ];
    const others = Array.from({ length: 100 }, (_, i) => ({ name: 'n', data: { i } }));
    await readers.addBulk(others);
    jobs.push(await reads(files[5]!));
    await expire(...files);
    expect(files.map(isThere)).toEqual(files.map(() => true));
    await readers.resume();
    await runWorker();
    for (const [i, job] of jobs.entries()) {
      expect(await end(job)).toMatchObject({ state: 'completed', result: { text: texts[i] } });
    }
    // No job holds the files any more.
    await expire(...files);
    expect(files.filter(isThere)).toEqual([]);
  });

  it('is kept for the next run of a schedule', async () => {
    const file = await upload('scheduled');
    const schedules = schedulesOf(headway, token);
    const schedule = await schedules.make({
      name: 'reader',
      data: { path: ['file'], in: { file } },
      everyMs: 3_600_000,
      startAt: new Date(Date.now() + 4000).toISOString(),
    });
    await expire(file);
    await runWorker();
    const { lastRun } = await schedules.until('it has run', schedule, ({ lastRun }) =>
      ['completed', 'failed'].includes(lastRun?.state ?? ''),
    );
    expect(await schedules.job(lastRun!)).toMatchObject({
      state: 'completed',
      result: { text: 'scheduled' },
    });
    await schedules.remove(schedule);
  });

  it('is kept for a failed job that is retried, by us or by another tool', async () => {
    const file = await upload('again');
    const data = { path: ['file'], in: { file }, failures: 2 };
    const job = await headway.client.start('reader', data);
    await runWorker();
    expect(await end(job)).toMatchObject({ state: 'failed', error: { message: 'not yet' } });
    await expire(file);
    expect((await headway.client.retry(job)).status).toBe(202);
    await until('it has run again', async () => (await view(job)).attempt === 2);
    expect(await end(job)).toMatchObject({ state: 'failed', error: { message: 'not yet' } });
    await expire(file);
    await (await readers.getJob(job.id))!.retry('failed');
    await until('it has run again', async () => (await view(job)).attempt === 3);
    expect(await end(job)).toMatchObject({ state: 'completed', result: { text: 'again' } });
  });

  it('is removed after another tool has removed the jobs that used it', async () => {
    const file = await upload('removed');
    const jobs = await Promise.all([1, 2, 3].map(() => reads(file, { delayMs: 3_600_000 })));
    for (const [i, { id }] of jobs.entries()) {
      await (await readers.getJob(id))!.remove();
      await expire(file);
      expect(isThere(file)).toBe(i < 2);
    }
  });

  it('is kept for a job that a BullMQ tool has added', async () => {
    const file = await upload('foreign');
    const job = await readers.add(
      'reader',
      { path: ['file'], in: { file } },
      { jobId: 'foreign', delay: 5000 },
    );
    await until('Headway knows the job', () =>
      headway.connection.hexists('{headway}.index', `reader..${job.id}`),
    );
    await expire(file);
    await runWorker();
    const done = await until('it has ended', async () => {
      const now = await readers.getJob('foreign');
      return now?.finishedOn ? now : undefined;
    });
    expect(done.returnvalue ?? done.failedReason).toEqual({ text: 'foreign' });
  });

  it('is kept until the end of the job that created it', async () => {
    await runWorker();
    const job = await headway.client.start('slow-maker', {});
    const file = await until('it has made its file', () => headway.connection.lpop('made'));
    await expire(file);
    await headway.connection.lpush('go', '1');
    expect(await end(job)).toMatchObject({ state: 'completed' });
    expect(await (await headway.client.result(job, '?file=made')).text()).toBe('made');
  });
});
