import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { StartedJob } from '../../../support/client.js';
import { familyJobs } from '../../../support/family.js';
import { type Headway, startHeadway } from '../../../support/headway.js';
import { jobsDir } from '../../../support/jobs.js';
import { openStream } from '../../../support/sse.js';

describe('the children of a job in a thread', () => {
  let headway: Headway;
  beforeAll(async () => {
    headway = await startHeadway({
      env: {
        JOBS_DIR: jobsDir('curious', ...familyJobs({ thread: true, leafThread: true })),
        WORKER_THREADS: '1',
      },
    });
  });
  beforeEach(() => headway.connection.del('begun'));
  afterAll(() => headway.stop());

  async function run(name: string, data: unknown, during?: (job: StartedJob) => Promise<unknown>) {
    const job = await headway.client.start(name, data);
    const stream = await openStream(headway.client.events(job), { token: job.token });
    await during?.(job);
    await stream.ended;
    return stream;
  }

  it('run in the only thread: a parent releases its permit while it waits', async () => {
    const streams = await Promise.all([1, 2, 3].map(() => run('tree', { count: 3 })));
    for (const stream of streams) {
      expect(stream.events.at(-1)).toMatchObject({ event: 'completed', data: { result: { sum: 6 } } });
    }
  });

  it('count in the stage in which they were started, even after the stage has changed', async () => {
    const stream = await run('curious', { how: 'stages' });
    const bar = stream.events.filter(({ event }) => event === 'progress').map(({ data }) => data);
    expect(stream.names().at(-1)).toBe('completed');
    expect(bar.at(-1)).toMatchObject({ stage: 'second', percent: 50 });
    expect(bar.filter(({ stage }) => stage === 'second').some(({ unit }) => unit === 'jobs')).toBe(false);
  });

  it('abort the signal with their failure as the reason, as without a thread', async () => {
    const stream = await run('curious', { how: 'reason' });
    expect(JSON.parse((await stream.waitFor('log')).data.message)).toEqual({
      why: 'child',
      childFailed: true,
      name: 'leaf',
      same: true,
    });
    expect(stream.events.at(-1)!.data.error.message).toMatch(/^child job leaf .* failed: bad apple$/);
  });

  it('are rejected if their data cannot be cloned', async () => {
    const stream = await run('curious', { how: 'uncloneable' });
    expect(stream.events.at(-1)).toMatchObject({ event: 'completed', data: { result: 'DataCloneError' } });
  });

  it('are cancelled with the parent while it waits, and its permit is released', async () => {
    const stream = await run('tree', { count: 2, gate: 'never' }, async (job) => {
      const following = await openStream(headway.client.events(job), { token: job.token });
      await following.waitFor(({ event, data }) => event === 'progress' && data.percent > 0);
      expect((await headway.client.cancel(job)).status).toBeLessThan(300);
      following.close();
    });
    expect(stream.names().at(-1)).toBe('cancelled');
    const next = await run('tree', { count: 2 });
    expect(next.names().at(-1)).toBe('completed');
  });
});
