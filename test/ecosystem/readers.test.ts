import type { Queue, QueueEvents } from 'bullmq';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PlainBullMq, plainBullMq } from '../support/bullmq.js';
import type { Headway } from '../support/headway.js';
import { borrowHeadway } from '../support/shared-headway.js';
import { openStream } from '../support/sse.js';
import { until } from '../support/until.js';

describe('P10: a program that reads a job with BullMQ alone', () => {
  let headway: Headway;
  let plain: PlainBullMq;
  let queue: Queue;
  let events: QueueEvents;
  beforeAll(async () => {
    headway = await borrowHeadway();
    plain = plainBullMq(headway);
    queue = plain.queue('steps');
    events = await plain.queueEvents('steps');
  });
  afterAll(async () => {
    await plain.close();
    await headway.stop();
  });

  it('sees progress, result and log', async () => {
    const heard: Array<{ jobId: string; data: unknown }> = [];
    events.on('progress', (event) => void heard.push(event));
    const started = await headway.client.start('steps', { count: 30, intervalMs: 50 });
    const job = (await queue.getJob(started.id))!;
    await until('the job has progress', async () => {
      const now = (await queue.getJob(started.id))!;
      return typeof now.progress === 'object' && (now.progress as { percent: number }).percent > 0;
    });
    expect(await job.waitUntilFinished(events)).toEqual({ steps: 30 });
    const done = (await queue.getJob(started.id))!;
    // Bull Board reads the percentage from the field `progress`.
    expect(done.progress).toMatchObject({ jobId: started.id, percent: 100, progress: 100, current: 30 });
    expect(done).toMatchObject({ returnvalue: { steps: 30 }, attemptsMade: 1, attemptsStarted: 1 });
    expect(await done.getState()).toBe('completed');
    const { logs } = await queue.getJobLogs(started.id);
    expect(logs).toEqual([expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z info 30 steps of 50 ms$/)]);
    expect(heard.length).toBeGreaterThan(1);
    for (const { jobId, data } of heard) expect(data).toMatchObject({ jobId, attempt: 1 });
  });

  it('sees failures and attempts', async () => {
    const started = await headway.client.start(
      'steps',
      { count: 3, intervalMs: 1, failAt: 2 },
      { attempts: 2 },
    );
    const stream = await openStream(headway.client.events(started), { token: started.token });
    await stream.ended;
    const job = (await queue.getJob(started.id))!;
    expect(job).toMatchObject({
      failedReason: 'failed at step 2, as asked',
      attemptsMade: 2,
      attemptsStarted: 2,
      opts: { attempts: 2 },
    });
    expect(await job.getState()).toBe('failed');
    expect((await queue.getJobLogs(started.id)).count).toBe(2);
  });
});
