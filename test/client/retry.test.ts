import { Queue } from 'bullmq';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient } from '../../src/client/index.js';
import { createJobStore } from '../../src/client/store.js';
import { clientOf } from '../support/client.js';
import type { Headway } from '../support/headway.js';
import { startApi } from '../support/processes.js';
import { borrowHeadway } from '../support/shared-headway.js';
import { until } from '../support/until.js';

describe('a retry', () => {
  let headway: Headway;
  beforeAll(async () => {
    headway = await borrowHeadway();
  });
  afterAll(() => headway.stop());

  it('updates every viewer of the job, whoever requests it, on every process', async () => {
    const other = await startApi(headway.env);
    const job = await headway.client.start('flaky', { failures: 2 }, { attempts: 1 });
    const stores = [headway.api.url, other.url, other.url].map((url) =>
      createJobStore(createClient({ url }), job.id, job.token),
    );
    const stops = stores.map((store) => store.subscribe(() => {}));
    const show = (state: string, attempt: number): Promise<unknown> =>
      until(`all viewers show ${state} ${attempt}`, () =>
        stores.every((store) => {
          const now = store.get();
          return now.state === state && now.attempt === attempt && now.status === 'ended';
        }),
      );
    await show('failed', 1);
    // Retry the job as Bull Board does.
    const queue = new Queue('flaky', { connection: { url: headway.redis.url }, prefix: '{headway}' });
    await (await queue.getJob(job.id))!.retry('failed');
    await queue.close();
    await show('failed', 2);
    // A viewer that returns after the end also sees the next run.
    stops[2]!();
    stops[2] = stores[2]!.subscribe(() => {});
    expect((await clientOf(other.url).retry(job)).status).toBe(202);
    await show('completed', 3);
    for (const stop of stops) stop();
    await other.kill();
  });
});
