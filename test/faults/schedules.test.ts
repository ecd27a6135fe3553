import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Headway, startHeadway } from '../support/headway.js';
import { jobsDir } from '../support/jobs.js';
import { startApi, startWorker } from '../support/processes.js';
import { schedulesOf, userToken } from '../support/schedules.js';
import { until } from '../support/until.js';

const QUICK = { count: 1, intervalMs: 1 };

describe('a schedule', () => {
  let headway: Headway;
  let token: string;
  let ada: ReturnType<typeof schedulesOf>;
  beforeAll(async () => {
    headway = await startHeadway({
      appendOnly: true,
      workers: 0,
      env: {
        LOCK_DURATION_MS: '1000',
        STALLED_INTERVAL_MS: '500',
        JOBS_DIR: jobsDir('steered'),
        WORKER_JOBS: 'steps,steered',
      },
    });
    token = await userToken(headway, 'ada');
    ada = schedulesOf(headway, token);
  });
  afterAll(() => headway.stop());

  // The first one: there is no worker yet.
  it('starts one late run instead of every missed run after a time without workers', async () => {
    const schedule = await ada.make({ name: 'steps', data: QUICK, everyMs: 1000 });
    const first = schedule.nextRun!;
    await until('three more runs would have been due', () => Date.now() > schedule.nextRunAt! + 3500);
    expect((await ada.get(schedule)).nextRun!.id).toBe(first.id);
    headway.workers.push(await startWorker(headway.env));
    const { lastRun } = await ada.until('the second run', schedule, ({ runs }) => runs === 2);
    expect(lastRun!.dueAt! - schedule.nextRunAt!).toBeGreaterThan(3000);
    await ada.remove(schedule);
  });

  it('survives a Redis that is killed and restarted on its append-only file', async () => {
    const schedule = await ada.make({ name: 'steps', data: QUICK, everyMs: 1000 });
    const paused = await ada.make({ name: 'steps', data: QUICK, everyMs: 1000, limit: 1 });
    await ada.pause(paused);
    await ada.until('the first run', schedule, ({ runs }) => runs >= 1);
    await headway.redis.kill('SIGKILL');
    await headway.redis.restart();
    await until('the API is ready', async () => (await fetch(`${headway.api.url}/readyz`)).status === 200);
    // On a Cluster, the master of the schedule may be back later than that of the jobs.
    const { runs } = await until('the schedule can be read', () => ada.get(schedule).catch(() => undefined));
    await ada.until('further runs', schedule, (now) => now.runs >= runs + 2);
    expect(await ada.get(paused)).toMatchObject({ state: 'paused' });
    await ada.remove(schedule);
  });

  it('starts its next run when a worker dies, and the lost run is repeated', async () => {
    const schedule = await ada.make({ name: 'steered', data: { turns: 'turns' }, everyMs: 1000 });
    const { lastRun } = await ada.until('the first run', schedule, (now) => now.lastRun?.state === 'active');
    const stream = await ada.watch(lastRun!);
    await stream.waitFor('active');
    await headway.workers[0]!.kill('SIGKILL');
    headway.workers = [await startWorker(headway.env)];
    await ada.until('the next run', schedule, (now) => now.lastRun!.dueAt! > lastRun!.dueAt!);
    const steer = setInterval(() => void headway.connection.lpush('turns', 'end'), 50);
    await stream.ended;
    clearInterval(steer);
    expect(stream.names()).toContain('stalled');
    expect(stream.events.at(-1)).toMatchObject({ event: 'completed', data: { attempt: 2 } });
    await ada.remove(schedule);
  });

  it('survives the API process that created it, and another one can change it', async () => {
    const schedule = await ada.make({ name: 'steps', data: QUICK, everyMs: 1000 });
    await headway.api.kill('SIGKILL');
    headway.api = await startApi(headway.env);
    const again = schedulesOf(headway, token, headway.api.url);
    await again.until('two runs', schedule, ({ runs }) => runs >= 2);
    expect(await again.pause(schedule)).toMatchObject({ state: 'paused' });
  });
});
