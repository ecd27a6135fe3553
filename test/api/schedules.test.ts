import { statSync } from 'node:fs';
import { Queue } from 'bullmq';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ADMIN_TOKEN } from '../support/dashboard.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { type ScheduleView, schedulesOf, userToken } from '../support/schedules.js';
import { borrowHeadway } from '../support/shared-headway.js';
import type { TestStream } from '../support/sse.js';
import { until } from '../support/until.js';

const QUICK = { count: 1, intervalMs: 1 };
const HOUR = 3_600_000;
const eventNames = (stream: TestStream): string[] =>
  stream.names().filter((name) => name !== 'progress' && name !== 'log');
const inAnHour = (): string => new Date(Date.now() + HOUR).toISOString();

describe('/v1/schedules', () => {
  let headway: Headway;
  let queue: Queue;
  let ada: ReturnType<typeof schedulesOf>;
  let admin: ReturnType<typeof schedulesOf>;
  beforeAll(async () => {
    headway = await borrowHeadway();
    queue = new Queue('steps', { connection: headway.connection, prefix: '{headway}' });
    ada = schedulesOf(headway, await userToken(headway, 'ada'));
    admin = schedulesOf(headway, ADMIN_TOKEN);
  });
  afterEach(async () => {
    for (const schedule of (await admin.list('?limit=200')).schedules) await admin.remove(schedule);
  });
  afterAll(async () => {
    await queue.close();
    await headway.stop();
  });

  it('starts runs at an interval, each a job with its own stream, progress and result', async () => {
    const response = await ada.post({ name: 'steps', data: { count: 3, intervalMs: 1 }, everyMs: 1000 });
    expect(response.status).toBe(201);
    const schedule = (await response.json()) as ScheduleView;
    expect(response.headers.get('location')).toBe(`/v1/schedules/${schedule.id}`);
    expect(schedule).toMatchObject({ name: 'steps', state: 'active', everyMs: 1000 });
    const third = await ada.until('the third run', schedule, ({ runs }) => runs >= 3);
    expect(third.lastRun!.id).toBe(`steps..repeat:${schedule.id}:${third.lastRun!.dueAt}`);

    const { nextRun } = await ada.until('another is due', schedule, (now) => now.nextRun);
    const stream = await ada.watch(nextRun!);
    await stream.ended;
    expect(eventNames(stream).filter((name) => name !== 'waiting')).toEqual([
      'delayed',
      'active',
      'completed',
    ]);
    expect(stream.events.find(({ event }) => event === 'progress')!.data).toMatchObject({
      jobId: nextRun!.id,
      total: 3,
    });
    expect(await ada.job(nextRun!)).toMatchObject({
      state: 'completed',
      result: { steps: 3 },
      schedule: schedule.id,
      progress: { percent: 100 },
    });
    const result = await ada.call(nextRun!.links.result);
    expect(await result.json()).toEqual({ steps: 3 });
    // The due times are exactly a second apart.
    const jobs = (await queue.getCompleted()).flatMap(({ id }) => (id!.includes(schedule.id) ? [id!] : []));
    const due = jobs.map((id) => Number(id.split(':').at(-1)) % 1000);
    expect(jobs.length).toBeGreaterThanOrEqual(4);
    expect(new Set(due).size).toBe(1);
  });

  it('starts runs by cron, with seconds', async () => {
    const schedule = await ada.make({ name: 'steps', data: QUICK, cron: ' *  * * * *  * ' });
    expect(schedule).toMatchObject({ cron: '* * * * * *', timeZone: 'UTC' });
    const { lastRun } = await ada.until('the second run', schedule, ({ runs }) => runs >= 2);
    expect(lastRun!.dueAt! % 1000).toBe(0);
  });

  it('shows when the next run is due, in the time zone of the schedule', async () => {
    const cron = { name: 'steps', data: QUICK, cron: '30 4 1 1 *', timeZone: 'Asia/Kolkata' };
    const { nextRunAt, nextRun } = await ada.make(cron);
    expect(new Date(nextRunAt!).toISOString()).toMatch(/^\d{4}-12-31T23:00:00\.000Z$/);
    expect(await ada.job(nextRun!)).toMatchObject({ state: 'delayed', dueAt: nextRunAt });
    const startAt = inAnHour();
    const interval = await ada.make({ name: 'steps', data: QUICK, everyMs: 60_000, startAt });
    expect(interval.nextRunAt).toBe(Date.parse(startAt));
    // A schedule with a start long ago keeps its phase.
    const began = await ada.make({
      name: 'steps',
      data: QUICK,
      everyMs: HOUR,
      startAt: '2026-01-01T00:12:00Z',
    });
    expect(began.runs).toBe(0);
    expect(new Date(began.nextRunAt!).toISOString()).toMatch(/T\d\d:12:00\.000Z$/);
  });

  describe.each([
    ['cron', { cron: '0 0 1 1 *' }],
    ['interval', { everyMs: HOUR, startAt: inAnHour() }],
  ])('a cancelled next run (%s)', (_what, timing) => {
    it('does not run, and the run after it follows', async () => {
      const schedule = await ada.make({ name: 'steps', data: QUICK, ...timing });
      const first = schedule.nextRun!;
      const stream = await ada.watch(first);
      await stream.waitFor('delayed');
      const cancelled = await ada.call(first.links.cancel, 'POST');
      expect([cancelled.status, ((await cancelled.json()) as { state: string }).state]).toEqual([
        200,
        'cancelled',
      ]);
      await stream.ended;
      expect(stream.names()).toEqual(['delayed', 'cancelled']);
      const after = await ada.get(schedule);
      expect(after.state).toBe('active');
      expect(after.nextRunAt!).toBeGreaterThan(schedule.nextRunAt!);
      expect(after.nextRun).toMatchObject({ state: 'delayed' });

      // A change does not affect the cancelled run.
      const changed = await ada.change(schedule, { data: { count: 2, intervalMs: 1 } });
      expect(changed.nextRunAt).toBe(after.nextRunAt);
      expect(await ada.job(first)).toMatchObject({ state: 'cancelled' });
      // The cancelled run can still be retried by hand, which does not count as another run.
      expect((await ada.call(`${first.links.self}/retry`, 'POST')).status).toBe(202);
      await until('it has run', async () => (await ada.job(first)).state === 'completed');
      expect((await ada.get(schedule)).nextRunAt).toBe(after.nextRunAt);
    });
  });

  it('continues after a run that is cancelled or fails', async () => {
    const schedule = await ada.make({
      name: 'steps',
      data: { count: 1000, intervalMs: 50 },
      everyMs: 1000,
    });
    const { lastRun } = await ada.until('a run', schedule, (now) => now.lastRun);
    const stream = await ada.watch(lastRun!);
    await stream.waitFor('progress');
    // The status is 202, or 200 when the job has already stopped.
    expect((await ada.call(lastRun!.links.cancel, 'POST')).ok).toBe(true);
    await stream.ended;
    expect(stream.names().at(-1)).toBe('cancelled');
    await ada.change(schedule, { data: { count: 3, intervalMs: 1, failAt: 2 } });
    const { lastRun: failed } = await ada.until(
      'a run has failed',
      schedule,
      (now) => now.lastRun!.state === 'failed',
    );
    expect(await ada.job(failed!)).toMatchObject({ error: { message: 'failed at step 2, as asked' } });
    const { runs } = await ada.get(schedule);
    await ada.until('another run', schedule, (now) => now.runs > runs);
    // A retry by hand is another attempt of the same job.
    expect((await ada.call(`${failed!.links.self}/retry`, 'POST')).status).toBe(202);
    await until('it has run again', async () => (await ada.job(failed!)).attempt === 2);
  });

  it('pauses: the next run is cancelled and not made up', async () => {
    const schedule = await ada.make({ name: 'steps', data: QUICK, everyMs: HOUR, startAt: inAnHour() });
    const stream = await ada.watch(schedule.nextRun!);
    await stream.waitFor('delayed');
    const paused = await ada.pause(schedule);
    expect(paused).toMatchObject({ state: 'paused', nextRunAt: null, nextRun: null });
    await stream.ended;
    expect(stream.events.at(-1)).toMatchObject({ event: 'cancelled', data: { reason: 'removed' } });
    expect(await queue.getJobScheduler(schedule.id)).toBeUndefined();
    expect(await ada.pause(schedule)).toMatchObject({ updatedAt: paused.updatedAt });
    // A change does not resume the schedule.
    expect(await ada.change(schedule, { everyMs: 2 * HOUR })).toMatchObject({ state: 'paused' });
    expect(await queue.getJobScheduler(schedule.id)).toBeUndefined();
    const resumed = await ada.resume(schedule);
    expect(resumed).toMatchObject({ state: 'active', nextRunAt: schedule.nextRunAt });
    expect(await ada.job(resumed.nextRun!)).toMatchObject({ state: 'delayed' });
  });

  it('resumes with a run of its original series', async () => {
    const startAt = '2026-01-01T00:00:00.123Z';
    const schedule = await ada.make({ name: 'steps', data: QUICK, everyMs: 1500, startAt });
    await ada.until('a run', schedule, ({ runs }) => runs >= 1);
    await ada.pause(schedule);
    const { nextRunAt } = await ada.resume(schedule);
    expect((nextRunAt! - Date.parse(startAt)) % 1500).toBe(0);
    const { runs } = await ada.get(schedule);
    await ada.until('another run', schedule, (now) => now.runs > runs);
  });

  it('changes the data and the times of the following runs', async () => {
    const schedule = await ada.make({ name: 'steps', data: QUICK, cron: '0 0 1 1 *' });
    const changed = await ada.change(schedule, {
      data: { count: 7, intervalMs: 1 },
      cron: '0 0 1 6 *',
      timeZone: 'Europe/Berlin',
      options: { tags: ['nightly'], attempts: 2 },
    });
    expect(new Date(changed.nextRunAt!).toISOString()).toMatch(/-05-31T22:00:00\.000Z$/);
    expect(await ada.job(changed.nextRun!)).toMatchObject({ tags: ['nightly'], attempts: 2 });
    const interval = await ada.change(schedule, { everyMs: 1000 });
    expect(interval).toMatchObject({ everyMs: 1000, options: { tags: ['nightly'] } });
    expect(interval).not.toHaveProperty('cron');
    expect(interval).not.toHaveProperty('timeZone');
    const { lastRun } = await ada.until('a run', schedule, (now) => now.lastRun?.state === 'completed');
    expect(await ada.job(lastRun!)).toMatchObject({ result: { steps: 7 } });
    const plain = await ada.change(schedule, { options: null });
    expect(plain).not.toHaveProperty('options');
  });

  it('ends at its limit, and at endAt', async () => {
    const limited = await ada.make({ name: 'steps', data: QUICK, everyMs: 1000, limit: 2 });
    const ended = await ada.until('its end', limited, ({ state }) => state === 'ended');
    expect(ended).toMatchObject({ runs: 2, nextRunAt: null, nextRun: null });
    await until('BullMQ knows', async () => !(await queue.getJobScheduler(limited.id)));
    const more = await ada.change(limited, { limit: 3 });
    expect(more).toMatchObject({ state: 'active' });
    await ada.until('its end again', limited, ({ state, runs }) => state === 'ended' && runs === 3);

    const endAt = new Date(Date.now() + 1600).toISOString();
    const over = await ada.make({ name: 'steps', data: QUICK, everyMs: 1000, endAt });
    expect(await ada.until('its end', over, ({ state }) => state === 'ended')).toMatchObject({ runs: 2 });
    await until('BullMQ knows', async () => !(await queue.getJobScheduler(over.id)));
    expect((await queue.getDelayed()).filter(({ id }) => id!.includes(over.id))).toEqual([]);
  });

  it('can be run immediately, as a separate job', async () => {
    const schedule = await ada.make({ name: 'steps', data: { count: 4, intervalMs: 1 }, cron: '0 0 1 1 *' });
    const response = await ada.call(schedule.links.run, 'POST');
    expect(response.status).toBe(202);
    const job = (await response.json()) as { id: string; token: string; links: { self: string } };
    expect(response.headers.get('location')).toBe(job.links.self);
    await until('it has run', async () => {
      const now = await fetch(`${headway.api.url}${job.links.self}`, {
        headers: { Authorization: `Bearer ${job.token}` },
      });
      return ((await now.json()) as { result?: { steps: number } }).result?.steps === 4;
    });
    expect(await ada.get(schedule)).toMatchObject({ runs: 0, nextRunAt: schedule.nextRunAt });
  });

  it('is deleted together with its next run', async () => {
    const schedule = await ada.make({ name: 'steps', data: QUICK, cron: '0 0 1 1 *' });
    expect((await ada.remove(schedule)).status).toBe(204);
    expect((await ada.remove(schedule)).status).toBe(404);
    expect((await ada.call(schedule.links.self)).status).toBe(404);
    expect(await queue.getJobScheduler(schedule.id)).toBeUndefined();
    expect((await queue.getDelayed()).filter(({ id }) => id!.includes(schedule.id))).toEqual([]);
    expect((await ada.list()).schedules).toEqual([]);
  });

  it('with a key is created once and then changed, even by concurrent requests', async () => {
    const body = { name: 'steps', data: QUICK, cron: '0 0 1 1 *', key: 'nightly' };
    const answers = await Promise.all(Array.from({ length: 10 }, () => ada.post(body)));
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array(9).fill(200), 201]);
    const [first] = (await Promise.all(answers.map((answer) => answer.json()))) as ScheduleView[];
    expect((await ada.list()).schedules).toHaveLength(1);

    await ada.pause(first!);
    const same = await ada.post(body);
    expect(same.headers.get('location')).toBe(first!.links.self);
    // Repeating the request, as a program may do at each start, does not resume a paused schedule.
    expect(await same.json()).toMatchObject({ id: first!.id, state: 'paused' });
    const changed = await ada.post({ ...body, cron: '0 0 2 1 *', limit: 5 });
    expect([changed.status, await changed.json()]).toMatchObject([
      200,
      { id: first!.id, cron: '0 0 2 1 *', limit: 5 },
    ]);

    const grace = schedulesOf(headway, await userToken(headway, 'grace'));
    expect((await grace.make(body)).id).not.toBe(first!.id);
    const other = await ada.post({ ...body, name: 'checksum', data: {} });
    expect(other.status).toBe(422);
    await ada.remove(first!);
    expect((await ada.make(body)).id).not.toBe(first!.id);
  });

  it('is shown only to its owner and to admins', async () => {
    const grace = schedulesOf(headway, await userToken(headway, 'grace'));
    const schedule = await ada.make({ name: 'steps', data: QUICK, cron: '0 0 1 1 *' });
    for (const [path, method] of [
      [schedule.links.self, 'GET'],
      [schedule.links.self, 'PATCH'],
      [schedule.links.self, 'DELETE'],
      [schedule.links.pause, 'POST'],
      [schedule.links.resume, 'POST'],
      [schedule.links.run, 'POST'],
    ] as const) {
      const refused = await grace.call(path, method);
      expect([path, method, refused.status]).toEqual([path, method, 404]);
      expect((await fetch(`${headway.api.url}${path}`, { method })).status).toBe(404);
    }
    expect((await grace.call(schedule.nextRun!.links.self)).status).toBe(404);
    expect((await grace.list()).schedules).toEqual([]);
    expect((await (await fetch(`${headway.api.url}/v1/schedules`)).json()) as object).toEqual({
      schedules: [],
    });
    expect((await admin.list()).schedules.map(({ id }) => id)).toEqual([schedule.id]);
    // A schedule keeps its owner when an admin changes it.
    await admin.change(schedule, { cron: '0 0 3 1 *' });
    expect(await ada.get(schedule)).toMatchObject({ cron: '0 0 3 1 *' });
    expect(await ada.job((await ada.get(schedule)).nextRun!)).toMatchObject({ state: 'delayed' });
  });

  it('can belong to a visitor, identified by the cookie', async () => {
    const made = await fetch(`${headway.api.url}/v1/schedules`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ name: 'steps', data: QUICK, cron: '0 0 1 1 *' }),
    });
    const { nextRun } = (await made.json()) as ScheduleView;
    const [cookie] = made.headers.getSetCookie()[0]!.split(';');
    const listed = await fetch(`${headway.api.url}/v1/schedules`, { headers: { Cookie: cookie! } });
    expect(((await listed.json()) as { schedules: unknown[] }).schedules).toHaveLength(1);
    const run = await fetch(`${headway.api.url}${nextRun!.links.self}`, { headers: { Cookie: cookie! } });
    expect(run.status).toBe(200);
  });

  it('is listed in pages, newest first', async () => {
    const made: string[] = [];
    for (let i = 0; i < 5; i++) {
      made.unshift((await ada.make({ name: 'steps', data: QUICK, cron: '0 0 1 1 *' })).id);
    }
    const seen: string[] = [];
    let cursor = '';
    do {
      const { schedules, next } = await ada.list(`?limit=2${cursor && `&cursor=${cursor}`}`);
      seen.push(...schedules.map(({ id }) => id));
      cursor = next ?? '';
    } while (cursor);
    expect(seen).toEqual(made);
    for (const query of ['?limit=0', '?limit=201', '?limit=x', '?cursor=x']) {
      expect((await ada.call(`/v1/schedules${query}`)).status).toBe(400);
    }
  });

  it.each<[string, Record<string, unknown>, number, string, RegExp]>([
    ['no time', {}, 400, '/cron', /either/],
    ['a bad expression', { cron: '61 * * * *' }, 400, '/cron', /0-59/],
    ['a bad zone', { cron: '* * * * *', timeZone: 'Mars/Olympus' }, 400, '/timeZone', /IANA/],
    ['too short an interval', { everyMs: 999 }, 400, '/everyMs', />=1000/],
    ['a time without a zone', { everyMs: 1000, startAt: '2027-01-01T00:00:00' }, 400, '/startAt', /ISO/],
    ['a limit of 0', { everyMs: 1000, limit: 0 }, 400, '/limit', />=1/],
    ['an unknown field', { everyMs: 1000, every: 5 }, 400, '', /every/],
    ['a delay', { everyMs: 1000, options: { delayMs: 5 } }, 400, '/options/delayMs', /startAt/],
    ['a time to run', { everyMs: 1000, options: { runAt: 'x' } }, 400, '/options/runAt', /startAt/],
    [
      'a deduplication key',
      { everyMs: 1000, options: { deduplicationKey: 'x' } },
      400,
      '/options/deduplicationKey',
      /key/,
    ],
    ['a bad option', { everyMs: 1000, options: { attempts: 0 } }, 400, '/options/attempts', />=1/],
    ['invalid data', { everyMs: 1000, data: { count: -1, intervalMs: 1 } }, 422, '/data/count', />=0/],
    ['an unknown kind of job', { everyMs: 1000, name: 'nothing' }, 422, '/name', /unknown job type/],
  ])('refuses %s', async (_what, changes, status, pointer, detail) => {
    const response = await ada.post({ name: 'steps', data: QUICK, ...changes });
    expect(response.status).toBe(status);
    const { errors } = (await response.json()) as { errors: Array<{ pointer: string; detail: string }> };
    expect(errors[0]).toEqual({ pointer, detail: expect.stringMatching(detail) });
    expect((await ada.list()).schedules).toEqual([]);
  });

  it('refuses an invalid change, and stays unchanged', async () => {
    const schedule = await ada.make({ name: 'steps', data: QUICK, cron: '0 0 1 1 *' });
    for (const change of [{ cron: 'x' }, { cron: null }, { data: {} }, { name: 'checksum' }, { key: 'k' }]) {
      expect((await ada.call(schedule.links.self, 'PATCH', change)).status).toBeGreaterThanOrEqual(400);
    }
    expect(await ada.get(schedule)).toMatchObject({ updatedAt: schedule.updatedAt });
  });

  it("is not a job, whatever id BullMQ's scheduler has", async () => {
    const schedule = await ada.make({ name: 'steps', data: QUICK, cron: '0 0 1 1 *' });
    expect((await ada.call(`/v1/jobs/steps..repeat:${schedule.id}`)).status).toBe(404);
  });
});

describe('while there is no worker', () => {
  let headway: Headway;
  let ada: ReturnType<typeof schedulesOf>;
  beforeAll(async () => {
    headway = await startHeadway({ workers: 0, env: { FILES_TTL_MS: '8000' } });
    ada = schedulesOf(headway, await userToken(headway, 'ada'));
  });
  afterAll(() => headway.stop());

  it('a run that does not start in time expires, counted from its due time, and the next run follows', async () => {
    const schedule = await ada.make({ name: 'steps', data: QUICK, everyMs: 1000, options: { ttlMs: 300 } });
    const first = schedule.nextRun!;
    expect(await ada.job(first)).toMatchObject({ expiresAt: schedule.nextRunAt! + 300 });
    const stream = await ada.watch(first);
    await stream.ended;
    expect(stream.events.at(-1)).toMatchObject({ event: 'failed', data: { error: { code: 'expired' } } });
    await ada.until('the next one', schedule, ({ nextRun }) => nextRun && nextRun.id !== first.id);
    await ada.remove(schedule);
  });

  it('a file in the data of a schedule is kept while the schedule exists', async () => {
    const file = await headway.client.upload('a.txt', 'a');
    const schedule = await ada.make({ name: 'checksum', data: { file: file.id }, cron: '0 0 1 1 *' });
    const path = `${headway.env.DATA_DIR}/files/${file.id}/file.json`;
    const touched = (): number => statSync(path).mtimeMs;
    for (let round = 0; round < 2; round++) {
      const before = touched();
      await until('it is touched', () => touched() > before);
    }
    await ada.remove(schedule);
    const missing = await ada.post({
      name: 'checksum',
      data: { file: `file_${'x'.repeat(27)}` },
      everyMs: 5000,
    });
    expect([missing.status, await missing.json()]).toMatchObject([422, { code: 'unknown-file' }]);
  });
});
