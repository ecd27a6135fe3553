import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { plainBullMq } from '../../support/bullmq.js';
import type { StartedJob } from '../../support/client.js';
import { ADMIN_TOKEN, openDashboard, type TestDashboard } from '../../support/dashboard.js';
import { type Headway, startHeadway } from '../../support/headway.js';
import { jobsDir } from '../../support/jobs.js';
import { startApi, startWorker } from '../../support/processes.js';
import { call } from '../../support/tokens.js';
import { until } from '../../support/until.js';

const KEYS = {
  channel: 'headway:internal:{dashboard}',
  processes: 'headway:internal:{dashboard}:processes',
  watched: 'headway:internal:{dashboard}:watched',
};

describe('the dashboard', () => {
  let headway: Headway;
  let opened: TestDashboard[];
  const watch = async (options = {}): Promise<TestDashboard> => {
    const dashboard = await openDashboard(headway.api.url, options);
    opened.push(dashboard);
    return dashboard;
  };

  const read = async (job: StartedJob) =>
    (await (await headway.client.get(job)).json()) as { state: string; progress: { current: number } | null };

  beforeAll(async () => {
    const dir = jobsDir('steered', 'plain');
    headway = await startHeadway({
      env: { ADMIN_TOKEN, JOBS_DIR: dir, WORKER_JOBS: 'steps,steered,checksum' },
    });
  });
  beforeEach(async () => {
    await headway.connection.flushall();
    opened = [];
  });
  afterEach(() => {
    for (const dashboard of opened) dashboard.close();
  });
  afterAll(() => headway.stop());

  it('counts jobs by state, kind and minute, including jobs that ended before the dashboard was opened', async () => {
    const { client } = headway;
    const start = (failAt?: number) =>
      client.start('steps', { count: 3, intervalMs: 5, ...(failAt ? { failAt } : {}) });
    await Promise.all([start(), start(), start(2)]);
    const before = await watch();
    await before.shows('what ended before', ({ states }) => states.completed === 2 && states.failed === 1);
    const delayed = await client.start('steps', { count: 1, intervalMs: 1 }, { delayMs: 3_600_000 });
    const cancelled = await client.start('steps', { count: 1, intervalMs: 1 }, { delayMs: 3_600_000 });
    await client.cancel(cancelled);
    await start();
    const state = await before.shows(
      'every outcome',
      ({ states, minutes }) =>
        states.completed === 3 &&
        states.failed === 1 &&
        states.cancelled === 1 &&
        states.delayed === 1 &&
        [...minutes.values()].reduce(
          (sum, { completed, failed, cancelled }) => sum + completed + failed + cancelled,
          0,
        ) === 5,
    );
    expect(state.names.steps).toEqual({ completed: 3, failed: 1, cancelled: 1, delayed: 1 });
    const sum = (what: 'completed' | 'failed' | 'cancelled'): number =>
      [...state.minutes.values()].reduce((all, minute) => all + minute[what], 0);
    expect([sum('completed'), sum('failed'), sum('cancelled')]).toEqual([3, 1, 1]);
    const timed = [...state.minutes.values()].find(({ run }) => run !== null)!;
    expect(timed.run![0]).toBeGreaterThanOrEqual(8);
    expect(timed.run![1]).toBeLessThan(5000);
    expect(timed.wait![0]).toBeLessThan(5000);
    expect(state.failed).toMatchObject([{ name: 'steps', error: { message: 'failed at step 2, as asked' } }]);
    await client.cancel(delayed);
    await before.shows('one more cancelled job', ({ states }) => !states.delayed && states.cancelled === 2);
  });

  it('shows the progress and the process of running jobs, until they end', async () => {
    const { client, connection } = headway;
    const dashboard = await watch();
    const job = await client.start('steered', { turns: 'bars' });
    await connection.lpush(
      'bars',
      JSON.stringify({ current: 1, total: 4, unit: 'rows', message: 'one of four' }),
    );
    await dashboard.shows('a quarter', ({ active }) => active.jobs[0]?.percent === 25);
    await connection.lpush('bars', JSON.stringify({ current: 2 }));
    const { active, processes } = await dashboard.shows(
      'half',
      (state) =>
        state.active.jobs[0]?.percent === 50 &&
        state.active.jobs[0].process !== undefined &&
        state.processes!.some(({ role }) => role === 'worker'),
    );
    const worker = processes!.find(({ role }) => role === 'worker')!;
    expect(active).toMatchObject({
      total: 1,
      jobs: [
        {
          id: job.id,
          name: 'steered',
          current: 2,
          total: 4,
          unit: 'rows',
          message: 'one of four',
          process: worker.id,
        },
      ],
    });
    expect(active.jobs[0]).not.toHaveProperty('owner');
    expect(worker).toMatchObject({ pid: headway.workers[0]!.child.pid, version: '0.1.0' });
    expect(worker.rssBytes).toBeGreaterThan(10_000_000);
    await dashboard.shows('that the worker runs the job', (state) =>
      state.processes!.some(({ role, running }) => role === 'worker' && running === 1),
    );
    await connection.lpush('bars', 'end');
    await dashboard.shows('its end', (state) => state.active.total === 0 && state.states.completed === 1);
  });

  it('publishes running jobs at most twice a second, and nothing while no dashboard is open', async () => {
    const { client, connection } = headway;
    const frames: number[] = [];
    const listener = connection.duplicate();
    await listener.ssubscribe(KEYS.channel);
    listener.on('smessage', (_channel: string, frame: string) => {
      if (frame.includes('event: jobs')) frames.push(Date.now());
    });
    const jobs = await Promise.all(
      Array.from({ length: 4 }, () => client.start('steps', { count: 100_000, intervalMs: 1 })),
    );
    const ran = (steps: number) =>
      until(`${steps} steps`, async () => ((await read(jobs[3]!)).progress?.current ?? 0) > steps);
    const { processes, watched, channel } = KEYS;
    // After an earlier test, a worker may assume until its next heartbeat that a dashboard is open.
    await until('no dashboard is open', async () => (await connection.exists(watched)) === 0);
    await connection.del(processes);
    await until('every process knows', async () => (await connection.hlen(processes)) === 2);
    await ran(100);
    const offset = await connection.hget(channel, 'offset');
    await ran(300);
    expect(await connection.hget(channel, 'offset')).toBe(offset);
    const dashboard = await watch();
    await dashboard.shows('all of them', ({ active }) => active.total === 4);
    await until('some frames came', () => frames.length >= 6);
    // There are five gaps of half a second each. A late timer is followed by a shorter gap.
    expect(frames.at(-1)! - frames.at(-6)!).toBeGreaterThanOrEqual(2300);
    await Promise.all(jobs.map((job) => client.cancel(job)));
    listener.disconnect();
  });

  it('counts a job of a worker that knows only BullMQ, and shows its progress', async () => {
    const bullmq = plainBullMq(headway);
    const dashboard = await watch();
    let finish!: () => void;
    const published = new Promise<void>((resolve) => (finish = resolve));
    bullmq.worker('plain', async (job) => {
      await job.updateProgress(30);
      await published;
      return 'done';
    });
    await bullmq.queue('plain').add('plain', {});
    await dashboard.shows(
      'the progress of the job',
      ({ active }) => active.jobs[0]?.name === 'plain' && active.jobs[0].percent === 30,
    );
    finish();
    await dashboard.shows(
      'its end',
      ({ names, active, minutes }) =>
        names.plain?.completed === 1 &&
        active.total === 0 &&
        [...minutes.values()].some(({ completed }) => completed === 1),
    );
    await bullmq.close();
  });

  it('shows an admin all jobs, a user only their own, and an unidentified caller none', async () => {
    const { client, connection, api } = headway;
    const visitor = async (): Promise<{ Cookie: string }> => {
      const response = await client.post({ name: 'steered', data: { turns: 'mine' } });
      const cookie = response.headers.getSetCookie().find((one) => one.startsWith('headway_visitor='))!;
      return { Cookie: cookie.split(';')[0]! };
    };
    const [ada, bob] = await Promise.all([visitor(), visitor()]);
    await client.post({ name: 'steps', data: { count: 1, intervalMs: 1, failAt: 1 } }, ada);
    const [all, ofAda, ofBob, anonymous] = await Promise.all([
      watch(),
      watch({ headers: ada }),
      watch({ headers: bob }),
      watch({ headers: {} }),
    ]);
    await all!.shows('the jobs of all', ({ active, states }) => active.total === 2 && states.failed === 1);
    await ofAda!.shows(
      'the jobs of ada',
      ({ active, states, failed, minutes }) =>
        active.total === 1 &&
        states.active === 1 &&
        states.failed === 1 &&
        failed.length === 1 &&
        minutes.size > 0,
    );
    await ofBob!.shows('the jobs of bob', ({ active, states }) => active.total === 1 && states.active === 1);
    const { states, active, failed, minutes } = await anonymous!.shows('something', ({ at }) => at > 0);
    expect([states, active.total, failed, minutes.size]).toEqual([{}, 0, [], 0]);
    expect(ofBob!.state()).toMatchObject({ admin: false, failed: [] });
    for (const dashboard of [ofAda!, ofBob!, anonymous!]) {
      expect(dashboard.raw()).not.toMatch(/"processes"|"redis"|"viewers"|"owner"/);
    }
    await connection.lpush('mine', 'end', 'end');
    await ofBob!.shows('that the job of bob has ended', ({ states }) => states.completed === 1);
    const wrong = await fetch(`${api.url}/v1/dashboard/events?token=nonsense`);
    expect(wrong.status).toBe(401);
  });

  it('searches and filters, and returns the requested rows', async () => {
    const { client, connection } = headway;
    await client.start('steered', { turns: 'window' }, { title: 'Window 1' });
    for (let i = 0; i < 2; i++) await client.start('steered', { turns: 'window' });
    await client.start('steps', { count: 1, intervalMs: 1, failAt: 1 });
    await connection.lpush('window', JSON.stringify({ percent: 5, message: 'Needle' }));
    const all = await watch({ query: '?sort=oldest' });
    const ids = (await all.shows('three', ({ active }) => active.total === 3)).active.jobs.map(
      ({ id }) => id,
    );
    const second = await watch({ query: '?from=1&rows=1' });
    await second.shows('the second', ({ active }) => active.total === 3);
    expect(second.state().active).toMatchObject({ from: 1, jobs: [{ id: ids[1] }] });
    const newest = await watch({ query: '?sort=newest&rows=1' });
    await newest.shows('the newest', ({ active }) => active.jobs[0]?.id === ids[2]);
    const found = await watch({ query: '?q=needle' });
    await found.shows('one', ({ active, failed }) => active.total === 1 && failed.length === 0);
    const titled = await watch({ query: '?q=window%201' });
    await titled.shows('the one with the title', ({ active }) => active.jobs[0]?.title === 'Window 1');
    const other = await watch({ query: '?name=steps&q=AS%20ASKED' });
    await other.shows('the failed one', ({ active, failed }) => active.total === 0 && failed.length === 1);
    for (const query of ['?rows=201', '?sort=size', '?what=1', '?from=-1']) {
      const response = await fetch(`${headway.api.url}/v1/dashboard/events${query}`);
      expect(await response.json()).toMatchObject({ status: 400, code: 'invalid-request' });
    }
    await connection.lpush('window', 'end', 'end', 'end');
    await all.shows('none', ({ active }) => active.total === 0);
  });

  it('shows paused queues, Redis, and the viewers of all API processes', async () => {
    const dashboard = await watch();
    const other = await startApi(headway.env);
    const elsewhere = await openDashboard(other.url);
    const job = await headway.client.start('steps', { count: 100_000, intervalMs: 5 });
    await dashboard.shows(
      'both',
      ({ viewers, processes }) =>
        viewers === 2 && processes!.filter(({ role }) => role === 'api').length === 2,
    );
    await elsewhere.shows(
      'the same',
      ({ viewers, active }) => viewers === 2 && active.jobs[0]?.id === job.id,
    );
    const { redis } = dashboard.state();
    expect(redis!.usedBytes).toBeGreaterThan(500_000);
    const call = (verb: string) =>
      fetch(`${headway.api.url}/v1/definitions/checksum/${verb}`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${ADMIN_TOKEN}` },
      });
    const paused = ({ queues }: ReturnType<TestDashboard['state']>) =>
      queues.find(({ name }) => name === 'checksum')!.paused;
    await call('pause');
    await elsewhere.shows('that it is paused', paused);
    await call('resume');
    await elsewhere.shows('that the queue is resumed', (state) => !paused(state));
    await other.stop();
    await elsewhere.ended;
    await dashboard.shows(
      'one API process',
      ({ viewers, processes }) =>
        viewers === 1 && processes!.filter(({ role }) => role === 'api').length === 1,
    );
    await headway.client.cancel(job);
  });

  it('drops a killed worker after a few seconds, and a stopped one immediately', async () => {
    const workers = await Promise.all([startWorker(headway.env), startWorker(headway.env)]);
    const dashboard = await watch();
    const has = (state: ReturnType<TestDashboard['state']>, i: number) =>
      state.processes!.some(({ pid }) => pid === workers[i]!.child.pid);
    await dashboard.shows('all workers', (state) => has(state, 0) && has(state, 1));
    await workers[0]!.stop();
    await dashboard.shows('that one worker has stopped', (state) => !has(state, 0), 3000);
    await workers[1]!.kill('SIGKILL');
    await dashboard.shows('that one is gone', (state) => !has(state, 1), 10_000);
    expect(await headway.connection.hlen('headway:internal:{dashboard}:slots')).toBeLessThanOrEqual(3);
  });

  it('signs an admin in with the password of the board, and a cookie without the password', async () => {
    const { url } = headway.api;
    const asked = await fetch(`${url}/dashboard/sign-in`, { redirect: 'manual' });
    expect(asked.status).toBe(401);
    expect(asked.headers.get('www-authenticate')).toBe('Basic realm="headway", charset="UTF-8"');
    const Authorization = `Basic ${Buffer.from(`any:${ADMIN_TOKEN}`).toString('base64')}`;
    const signedIn = await fetch(`${url}/dashboard/sign-in`, {
      redirect: 'manual',
      headers: { Authorization },
    });
    expect([signedIn.status, signedIn.headers.get('location')]).toEqual([303, '/dashboard']);
    const [cookie] = signedIn.headers.getSetCookie();
    expect(cookie).toMatch(/^headway_token=eyJ[^;]+;.*HttpOnly; SameSite=Lax$/);
    expect(cookie).not.toContain(ADMIN_TOKEN);
    const Cookie = cookie!.split(';')[0]!;
    expect((await fetch(`${url}/admin/queues`, { headers: { Cookie } })).status).toBe(200);
    const dashboard = await watch({ headers: { Cookie } });
    await dashboard.shows('all', ({ admin, processes }) => admin && processes !== undefined);
    const out = await fetch(`${url}/dashboard/sign-out`, { method: 'POST', headers: { Cookie } });
    expect(out.status).toBe(204);
    expect(out.headers.getSetCookie()[0]).toMatch(/^headway_token=;.*Expires=Thu, 01 Jan 1970/);
  });

  it('signs an admin in again after all earlier sessions were revoked', async () => {
    const { url } = headway.api;
    const Authorization = `Basic ${Buffer.from(`any:${ADMIN_TOKEN}`).toString('base64')}`;
    const signIn = async (): Promise<string> => {
      const answer = await fetch(`${url}/dashboard/sign-in`, {
        redirect: 'manual',
        headers: { Authorization },
      });
      return answer.headers.getSetCookie()[0]!.split(';')[0]!;
    };
    const statusWith = async (Cookie: string): Promise<number> =>
      (await fetch(`${url}/v1/jobs`, { headers: { Cookie } })).status;
    const before = await signIn();
    expect(await statusWith(before)).toBe(200);
    await call(`${url}/v1/revocations`, 'POST', ADMIN_TOKEN, { sub: 'headway:admin' });
    await until('the session is over', async () => (await statusWith(before)) === 401);
    // The issue time of a token has whole seconds.
    await until('a new session is valid', async () => (await statusWith(await signIn())) === 200);
  });

  it('has a channel that no token can reach', async () => {
    const { api, connection } = headway;
    const dashboard = await watch();
    await dashboard.shows('something', ({ processes }) => processes!.length === 2);
    const response = await fetch(`${api.url}/v1/channels/dashboard`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${ADMIN_TOKEN}` },
      body: JSON.stringify({ event: 'changed', data: 'no JSON', kind: 'state' }),
    });
    expect(response.status).toBe(200);
    // Jobs of other tests may have left a `changed` event there.
    const notice = await connection.hget('headway:internal:{dashboard}:slots', 'changed');
    expect(notice ?? '').not.toContain('no JSON');
  });

  it('sends the current state to a viewer that resumes reading', async () => {
    const { client } = headway;
    const dashboard = await watch({ query: '?rows=200' });
    await dashboard.shows('something', ({ at }) => at > 0);
    dashboard.pause();
    const job = await client.start('steps', { count: 5, intervalMs: 5 });
    await until('it is done', async () => (await read(job)).state === 'completed');
    dashboard.resume();
    await dashboard.shows(
      'that it is done',
      ({ states, active }) => states.completed === 1 && active.total === 0,
    );
  });
});
