import { existsSync, writeFileSync } from 'node:fs';
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createPageReader } from '../../../src/api/jobs/page.js';
import { createPublisher } from '../../../src/shared/channel/publisher.js';
import { createAudit } from '../../../src/shared/job-index/audit.js';
import { createHeldFiles } from '../../../src/shared/job-index/held-files.js';
import { createJobRetention } from '../../../src/shared/job-index/retention.js';
import { createTracker } from '../../../src/shared/job-index/tracker.js';
import { createRetentionTimes } from '../../../src/shared/jobs/retention-times.js';
import { JOB_STATES } from '../../../src/shared/jobs/states.js';
import { createKeyspace } from '../../../src/shared/keyspace.js';
import { createReconciler } from '../../../src/shared/lifecycle/reconcile.js';
import { createSnapshotReader } from '../../../src/shared/lifecycle/snapshot.js';
import { createLogger } from '../../../src/shared/process/log.js';
import { openRedis, startRedis, type TestRedis } from '../../support/redis.js';
import { openTestStore } from '../../support/run-job.js';
import { until } from '../../support/until.js';

const keyspace = createKeyspace('t');
const { prefix: PREFIX, queuePrefix: BULLMQ } = keyspace;
const log = createLogger({ LOG_LEVEL: 'silent' }, 'test');

describe('the retention of finished jobs', () => {
  let server: TestRedis;
  let redis: Redis;
  let queue: Queue;
  let worker: Worker;
  const store = openTestStore();
  beforeAll(async () => {
    server = await startRedis();
    redis = openRedis(server.url, { enableAutoPipelining: true });
    queue = new Queue('q', { connection: redis, prefix: BULLMQ });
    // A worker that knows only BullMQ.
    worker = new Worker('q', async (job) => (job.data.fail ? Promise.reject(new Error('no')) : job.data), {
      connection: { host: '127.0.0.1', port: server.port, maxRetriesPerRequest: null },
      prefix: BULLMQ,
    });
    await worker.waitUntilReady();
  });
  afterEach(() => redis.flushall());
  afterAll(async () => {
    await worker.close();
    redis.disconnect();
    await server.stop();
  });

  /** Opens the retention and index of one process. */
  function open({ keepMs = 1, files = store as Parameters<typeof createJobRetention>[0]['store'] } = {}) {
    const keep = createRetentionTimes({ KEEP_JOBS_MS: keepMs, GONE_JOBS_MS: 60_000 });
    const publisher = createPublisher({
      redis,
      keyspace,
      logLength: 100,
      ttlMs: 60_000,
      sharded: true,
    });
    const trackJob = createTracker({ redis, keyspace, keep });
    const reconciler = createReconciler({
      redis,
      keyspace,
      publisher,
      readJob: trackJob,
      keep,
    });
    const isHeld = createHeldFiles({
      redis,
      keyspace,
      readJob: createSnapshotReader(redis, keyspace),
    });
    const retention = createJobRetention({
      redis,
      keyspace,
      keep,
      reconciler,
      store: files,
      log,
    });
    return { trackJob, reconciler, retention, isHeld };
  }
  async function finished(jobId: string, data: object = {}): Promise<string> {
    await queue.add('n', data, { jobId });
    await until('it has ended', async () => (await queue.getJob(jobId))?.finishedOn);
    return `q..${jobId}`;
  }
  /** Creates a file as a job does. */
  const made = (): Promise<{ id: string }> =>
    store.create('a.txt', async (path) => writeFileSync(path, 'made'));

  it('publishes the end of a job before removing it, if no process has published it yet', async () => {
    const { retention, reconciler, trackJob } = open();
    await queue.pause();
    await queue.add('n', { rows: 3 }, { jobId: 'unpublished' });
    await reconciler.reconcile('q..unpublished');
    const hub = new Redis(server.url);
    const frames: string[] = [];
    hub.on('smessage', (_channel, frame) => frames.push(frame));
    await hub.ssubscribe(`${PREFIX}:{job:q..unpublished}`);
    await queue.resume();
    await until('it has ended', async () => (await queue.getJob('unpublished'))?.finishedOn);
    // A process indexed the job and died right afterwards.
    await trackJob('q..unpublished');
    await until('its retention time is over', async () => {
      await retention.sweep();
      return (await queue.getJob('unpublished')) === undefined;
    });
    await until('its end was published', () => frames.at(-1)?.includes('event: completed'));
    expect(frames.at(-1)).toContain('"result":{"rows":3}');
    hub.disconnect();
  });

  it('is continued by the next process when it dies between its two steps', async () => {
    const { id: file } = await made();
    const data = JSON.stringify({ fail: false });
    const dying = open({
      files: {
        remove: async () => {
          throw new Error('the disk is away');
        },
      },
    });
    const jobId = await finished('two-steps');
    // The result names a file that is not in the data.
    await redis.hset(`${BULLMQ}:q:two-steps`, { returnvalue: JSON.stringify({ a: { id: file } }), data });
    await dying.reconciler.reconcile(jobId);
    await until('the first step is done', async () => {
      await dying.retention.sweep();
      return redis.hexists(`${BULLMQ}.leftovers`, jobId);
    });
    expect(await queue.getJob('two-steps')).toBeUndefined();
    expect(existsSync(store.path(file))).toBe(true);
    expect(await redis.exists(`${PREFIX}:{job:${jobId}}`)).toBe(1);
    await open().retention.sweep();
    expect(existsSync(store.path(file))).toBe(false);
    expect(await redis.keys(`*${jobId}*`)).toEqual([`${BULLMQ}.gone:${jobId}`]);
    expect(await redis.hlen(`${BULLMQ}.leftovers`)).toBe(0);
  });

  it('keeps a result file that an unfinished job uses', async () => {
    const { id: file } = await made();
    const { retention, reconciler, trackJob } = open();
    const jobId = await finished('maker', { fail: false });
    await redis.hset(`${BULLMQ}:q:maker`, { returnvalue: JSON.stringify({ a: { id: file } }) });
    await queue.add('n', { from: [{ file }] }, { jobId: 'waits', delay: 60_000 });
    await trackJob('q..waits');
    await reconciler.reconcile(jobId);
    await until('the job is gone', async () => {
      await retention.sweep();
      return (await redis.hlen(`${BULLMQ}.leftovers`)) === 0 && !(await queue.getJob('maker'));
    });
    expect(existsSync(store.path(file))).toBe(true);
  });

  it('keeps a job that runs or has ended again since it was scheduled for removal', async () => {
    const short = open({ keepMs: 1 });
    const jobId = await finished('again', { fail: true });
    await short.trackJob(jobId);
    await redis.zadd(`${BULLMQ}.due`, 1, jobId);
    await queue.pause();
    await (await queue.getJob('again'))!.retry();
    await short.retention.sweep();
    expect(await (await queue.getJob('again'))!.getState()).toBe('waiting');
    expect(await redis.zscore(`${BULLMQ}.due`, jobId)).toBeNull();
    await queue.resume();
    await until('it has failed again', async () => (await queue.getJob('again'))?.attemptsStarted === 2);
    await until('it has ended', async () => (await queue.getJob('again'))?.finishedOn);
    await redis.zadd(`${BULLMQ}.due`, 1, jobId);
    const long = open({ keepMs: 60_000 });
    await long.retention.sweep();
    const { finishedOn } = (await queue.getJob('again'))!;
    expect(Number(await redis.zscore(`${BULLMQ}.due`, jobId))).toBe(finishedOn! + 60_000);
  });

  it('is not blocked by a job that it cannot remove', async () => {
    const { retention, trackJob } = open();
    const [bad, good] = [await finished('bad'), await finished('good')];
    await Promise.all([trackJob(bad), trackJob(good)]);
    // The key of the job's channel has the wrong type.
    await redis.set(`${PREFIX}:{job:${bad}}`, 'no channel');
    await until('the other is gone', async () => {
      await retention.sweep();
      return (await queue.getJob('good')) === undefined;
    });
    expect(await queue.getJob('bad')).toMatchObject({ id: 'bad' });
    expect(Number(await redis.zscore(`${BULLMQ}.due`, bad))).toBeGreaterThan(Date.now());
  });

  it('removes each job once when processes sweep concurrently', async () => {
    const ids = await Promise.all(Array.from({ length: 450 }, (_, i) => finished(`many-${i}`)));
    const processes = [open(), open(), open()];
    await Promise.all(ids.map((id) => processes[0]!.reconciler.reconcile(id)));
    await until('the retention time of all jobs is over', async () => {
      await Promise.all(processes.map(({ retention }) => retention.sweep()));
      return (await redis.zcard(`${BULLMQ}.due`)) === 0;
    });
    expect(await redis.keys(`${BULLMQ}:q:many-*`)).toEqual([]);
    expect(await redis.keys(`${PREFIX}:{job:q..many-*`)).toEqual([]);
    expect(await redis.keys(`${BULLMQ}.gone:q..many-*`)).toHaveLength(450);
    expect(await redis.hlen(`${BULLMQ}.leftovers`)).toBe(0);
  });

  it('finds the files of jobs that were queued while no process ran', async () => {
    const { trackJob, isHeld } = open();
    const audit = createAudit({ redis, keyspace, queues: ['q'], trackJob, log });
    const ids = await Promise.all(Array.from({ length: 3 }, async () => (await made()).id));
    await queue.pause();
    await queue.add('n', { file: ids[0] }, { jobId: 'one' });
    await queue.add('n', { file: ids[1] }, { jobId: 'two', delay: 60_000 });
    await queue.add('n', { file: ids[2] }, { jobId: 'three', priority: 5 });
    await until('all are known', async () => {
      await audit.step();
      return (await Promise.all(ids.map((id) => isHeld(id)))).every(Boolean);
    });
    await queue.resume();
  });

  it('records the files of jobs that an earlier release indexed without them, until the upgrade is over', async () => {
    const { trackJob, isHeld } = open();
    const [delayed, failed, completed] = [(await made()).id, (await made()).id, (await made()).id];
    await queue.add('n', { file: delayed }, { jobId: 'later', delay: 60_000 });
    await finished('bad', { file: failed, fail: true });
    await finished('good', { file: completed });
    const upgraded = async (): Promise<void> => {
      await Promise.all(['later', 'bad', 'good'].map((id) => trackJob(`q..${id}`)));
      await redis.del(`${BULLMQ}.index:files`);
    };
    const audit = () => createAudit({ redis, keyspace, queues: ['q'], trackJob, log });
    await upgraded();
    const first = audit();
    await until('they are held', async () => {
      await first.step();
      return (await isHeld(delayed)) && (await isHeld(failed));
    });
    expect(await redis.zrange(`${BULLMQ}.index:files`, '0', '-1')).toEqual(
      [`${delayed} q:later`, `${failed} q:bad`].sort(),
    );
    expect(Number(await redis.get(`${BULLMQ}.files-held`))).toBeGreaterThan(0);
    // By now, every process of the previous release has been replaced.
    await redis.set(`${BULLMQ}.files-held`, 1);
    await upgraded();
    const later = audit();
    for (let i = 0; i < 20; i++) await later.step();
    expect(await redis.exists(`${BULLMQ}.index:files`)).toBe(0);
  });

  it('finds jobs that ended while no process ran, by auditing all jobs', async () => {
    await Promise.all(Array.from({ length: 700 }, (_, i) => finished(`old-${i}`, { fail: i % 2 === 0 })));
    const { trackJob } = open({ keepMs: 60_000 });
    const readPage = createPageReader(redis, keyspace);
    const everything = { states: JOB_STATES, names: [], tags: [], limit: 1000 };
    expect((await readPage(everything)).ids).toEqual([]);
    const audit = createAudit({ redis, keyspace, queues: ['q'], trackJob, log });
    await until('all are known', async () => {
      await audit.step();
      return (await readPage(everything)).ids.length === 700;
    });
    expect((await readPage({ ...everything, states: ['failed'] })).ids).toHaveLength(350);
    expect(await redis.zcard(`${BULLMQ}.due`)).toBe(700);
  });

  it('finds the files that a job created among tens of thousands of ids, without blocking Redis', async () => {
    const id = (i: number): string => `file_${String(i).padStart(27, '0')}`;
    const given = Array.from({ length: 15_000 }, (_, i) => id(i));
    const jobId = await finished('files');
    const made = id(15_000);
    await redis.hset(`${BULLMQ}:q:files`, {
      // The ids are whole strings, except for one in a URL and one after text that only resembles an id.
      data: JSON.stringify([
        ...given.slice(2),
        `/v1/files/${given[0]}`,
        `${'file_'.repeat(200_000)}${given[1]}`,
      ]),
      returnvalue: JSON.stringify([...given, made, made, `not ${id(15_001)}`, 'file_short']),
    });
    const removed: string[] = [];
    const { retention, trackJob } = open({
      files: { remove: async (file: string) => void removed.push(file) },
    });
    await trackJob(jobId);
    await redis.config('SET', 'slowlog-log-slower-than', 1000);
    await redis.slowlog('RESET');
    await until('it is removed', async () => {
      await retention.sweep();
      return (await queue.getJob('files')) === undefined;
    });
    const slow = (await redis.slowlog('GET', -1)) as Array<[number, number, number, string[]]>;
    // A script that searches the data would take hundreds of milliseconds.
    expect(Math.max(0, ...slow.map(([, , micros]) => micros / 1000))).toBeLessThan(100);
    expect(removed).toEqual([made]);
  });

  it('indexes no more tags from another tool than the API accepts', async () => {
    const tags = Array.from({ length: 5000 }, (_, i) => `t${i}`);
    await queue.pause();
    await queue.add('n', {}, { jobId: 'tags', headway: { tags } } as object);
    const { trackJob } = open();
    await trackJob('q..tags');
    expect(await redis.keys(`${BULLMQ}.index:all:waiting:tag:*`)).toHaveLength(20);
    await queue.remove('tags');
    await trackJob('q..tags');
    expect(await redis.keys(`${BULLMQ}.index*`)).toEqual([]);
    await queue.resume();
  });
});
