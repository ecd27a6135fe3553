import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADMIN_TOKEN, openDashboard } from '../support/dashboard.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { jobsDir } from '../support/jobs.js';

describe('the dashboard after a failure', () => {
  let headway: Headway;
  beforeAll(async () => {
    headway = await startHeadway({ appendOnly: true, env: { ADMIN_TOKEN, JOBS_DIR: jobsDir('steered') } });
  });
  afterAll(() => headway.stop());

  it('says that it is not live while Redis is unavailable, and catches up on the same stream', async () => {
    const { client, connection, redis } = headway;
    const dashboard = await openDashboard(headway.api.url);
    const job = await client.start('steered', { turns: 'turns' });
    await connection.lpush('turns', '10');
    await dashboard.shows('the job', ({ live, active }) => live && active.jobs[0]?.percent === 10);
    await redis.kill();
    await dashboard.shows('that it is not live', ({ live }) => !live);
    await redis.restart();
    await dashboard.shows('that it is live', ({ live }) => live);
    await connection.lpush('turns', '60');
    await dashboard.shows('the next progress of the job', ({ active }) => active.jobs[0]?.percent === 60);
    expect(dashboard.state().active.jobs[0]!.id).toBe(job.id);
    await connection.lpush('turns', 'end');
    await dashboard.shows(
      'that the job has completed',
      ({ states, active }) => states.completed === 1 && active.total === 0,
    );
    dashboard.close();
  });

  it('shows the running jobs when Redis comes back without data', async () => {
    const { client, connection, redis } = headway;
    const dashboard = await openDashboard(headway.api.url);
    await client.start('steered', { turns: 'turns' });
    await dashboard.shows('the job', ({ active }) => active.jobs[0]?.process !== undefined);
    // Its file then has nothing before this.
    await connection.flushall();
    await redis.kill();
    await dashboard.shows('that it is not live', ({ live }) => !live);
    await redis.restart();
    await dashboard.shows('the workers', ({ live, processes }) => live && processes!.length === 2);
    await dashboard.shows('the running job', ({ active }) => active.jobs[0]?.process !== undefined);
  });
});
