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
    headway = await startHeadway({ env: { JOBS_DIR: jobsDir('plain', { file: 'burn', thread: false }) } });
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
    const job = await client.start('burn', { ms: BUSY_MS, sleeps: true }, { delayMs: 2500 });
    const stream = await openStream(client.events(job), { token: job.token });
    await stream.waitFor('active');
    const seenAt = performance.now();
    await stream.ended;
    expect(performance.now() - seenAt).toBeGreaterThan(BUSY_MS / 3);
  });

  it.each([true, false])(
    'is published of each job with the same id, however brief (removed by BullMQ: %s)',
    async (removeOnComplete) => {
      const queue = plain.queue('plain');
      const jobId = `again-${removeOnComplete}`;
      for (let i = 1; i <= 3; i++) {
        const job = await queue.add('plain', {}, { jobId, removeOnComplete });
        await until(`the end of job ${i} is published`, async () => {
          const log = JSON.stringify(
            await headway.connection.xrange(`headway:{job:plain..${jobId}}:log`, '-', '+'),
          );
          return log.split('event: active').length > i && log.split('event: completed').length > i;
        });
        await job.remove();
      }
    },
  );

  it('fails the run at once if it cannot be published', async () => {
    const { connection } = headway;
    // The start of a job is held back if the job before was brief.
    await runToEnd('steps', { count: 0, intervalMs: 1 });
    const queue = plain.queue('steps');
    await queue.pause();
    const { id } = await headway.client.start('steps', { count: 1, intervalMs: 60_000 });
    for (const key of [`headway:{job:${id}}`, `headway:{job:${id}}:log`]) {
      await connection.multi().del(key).set(key, 'of another tool').exec();
    }
    await queue.resume();
    await until('the job has failed', async () => (await queue.getJob(id))?.isFailed());
    expect((await queue.getJob(id))!.failedReason).toMatch(/WRONGTYPE/);
  });
});
