import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PlainBullMq, plainBullMq } from '../support/bullmq.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { jobsDir } from '../support/jobs.js';
import { openStream } from '../support/sse.js';
import { until } from '../support/until.js';

const BUSY_MS = 1500;

describe('the start of a run', () => {
  let headway: Headway;
  let plain: PlainBullMq;
  beforeAll(async () => {
    headway = await startHeadway({ env: { JOBS_DIR: jobsDir({ file: 'burn', thread: false }) } });
    plain = plainBullMq(headway);
  });
  afterAll(async () => {
    await plain.close();
    await headway.stop();
  });

  const runToEnd = async (name: string, data: object): Promise<void> => {
    const job = await headway.client.start(name, data);
    await (await openStream(headway.client.events(job), { token: job.token })).ended;
  };

  it('is seen while the job keeps its process busy', async () => {
    const { client, connection } = headway;
    // An API process that follows the queues would publish the start.
    await until('the worker follows the queues', async () =>
      (await connection.get('headway:{bridge}:lease'))?.startsWith('worker:'),
    );
    // An API process also publishes it when a viewer connects, and up to a second later.
    const job = await client.start('burn', { ms: BUSY_MS }, { delayMs: 2500 });
    const stream = await openStream(client.events(job), { token: job.token });
    await stream.waitFor('active');
    const seenAt = performance.now();
    await stream.ended;
    expect(performance.now() - seenAt).toBeGreaterThan(BUSY_MS / 3);
  });

  it('fails the run at once if it cannot be published', async () => {
    const { connection } = headway;
    // The start of a job is held back if the job before was brief.
    await runToEnd('steps', { count: 0, intervalMs: 1 });
    const queue = plain.queue('steps');
    await queue.pause();
    const job = await queue.add('steps', { count: 1, intervalMs: 60_000 }, { jobId: 'broken' });
    await until('the job is published', () => connection.exists('headway:{job:steps..broken}:log'));
    for (const key of ['headway:{job:steps..broken}', 'headway:{job:steps..broken}:log']) {
      await connection.multi().del(key).set(key, 'of another tool').exec();
    }
    await queue.resume();
    await until('the job has failed', () => job.isFailed());
    expect((await queue.getJob('broken'))!.failedReason).toMatch(/WRONGTYPE/);
  });
});
