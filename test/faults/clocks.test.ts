import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { clientOf } from '../support/client.js';
import type { Headway } from '../support/headway.js';
import { startApi, startWorker, type TestProcess, temporaryFolder } from '../support/processes.js';
import { startRedis, type TestRedis } from '../support/redis.js';
import { schedulesOf, userToken } from '../support/schedules.js';
import { openStream } from '../support/sse.js';
import { until } from '../support/until.js';

const FIVE_MIN = 300_000;
const HOUR = 3_600_000;
const clock = new URL('../support/skewed-clock.mjs', import.meta.url).href;
/** Tolerance for a busy machine, far below the error of the clocks. */
const LATE_MS = 20_000;

/** The test and Redis run on one machine, so they share a clock. */
describe('with wrong clocks', () => {
  let redis: TestRedis;
  let connection: Redis;
  let env: Record<string, string>;
  let processes: TestProcess[] = [];

  beforeAll(async () => {
    redis = await startRedis();
    connection = new Redis(redis.url);
    env = {
      REDIS_URL: redis.url,
      DATA_DIR: temporaryFolder(),
      TOKEN_SECRET: 'a secret for tests that is long enough',
      CLOCK_JUMP_MS: String(-HOUR),
      NODE_OPTIONS: `--import=${clock}`,
      LOCK_DURATION_MS: '1500',
      STALLED_INTERVAL_MS: '500',
    };
  });
  afterEach(async () => {
    await Promise.all(processes.map((process) => process.kill()));
    processes = [];
    await connection.flushall();
  });
  afterAll(async () => {
    connection.disconnect();
    await redis.stop();
  });

  /** Starts an API, and a worker for `steps` only. */
  async function start({ api = 0, worker = 0 }): Promise<[api: TestProcess, worker: TestProcess]> {
    const started = await Promise.all([
      startApi({ ...env, CLOCK_AHEAD_MS: String(api) }),
      startWorker({ ...env, CLOCK_AHEAD_MS: String(worker), WORKER_JOBS: 'steps' }),
    ]);
    processes.push(...started);
    return started;
  }

  it.each([
    { api: FIVE_MIN, worker: -FIVE_MIN },
    { api: -FIVE_MIN, worker: FIVE_MIN },
  ])('delays, times to live and schedules follow the clock of Redis (ahead by %o ms)', async (ahead) => {
    const [{ url }] = await start(ahead);
    const client = clientOf(url);
    const schedules = schedulesOf({ env } as Headway, await userToken({ env } as Headway, 'ann', '2m'), url);
    const data = { count: 1, intervalMs: 1 };
    const at = Date.now();
    const [delayed, inTime, expiring, schedule] = await Promise.all([
      client.start('steps', data, { delayMs: 1500 }),
      client.start('steps', data, { ttlMs: 60_000 }),
      client.start('mandelbrot', {}, { ttlMs: 1500 }),
      schedules.make({ name: 'steps', data, cron: '*/2 * * * * *', limit: 3 }),
    ]);
    const beganAt = async (event: string, bullmqId: string): Promise<number> => {
      const id = await until(`${event} of ${bullmqId}`, async () => {
        for (const queue of ['steps', 'mandelbrot']) {
          const events = await connection.xrange(`{headway}:${queue}:events`, '-', '+');
          const found = events.find(([, fields]) => fields.includes(event) && fields.includes(bullmqId));
          if (found) return found[0];
        }
        return undefined;
      });
      return Number(id.split('-')[0]);
    };
    const delay = (await beganAt('active', delayed.id)) - at;
    expect(delay).toBeGreaterThanOrEqual(1500);
    expect(delay).toBeLessThan(1500 + LATE_MS);
    const ttl = (await beganAt('failed', expiring.id)) - at;
    expect(ttl).toBeGreaterThanOrEqual(1500);
    expect(ttl).toBeLessThan(1500 + LATE_MS);
    expect(await (await client.get(expiring)).json()).toMatchObject({ error: { code: 'expired' } });
    await beganAt('completed', inTime.id);

    await schedules.until('three runs', schedule, ({ runs }) => runs === 3);
    // BullMQ may have created a fourth run, which is removed with its scheduler.
    await until('no run follows', async () => (await connection.zcard('{headway}:steps:repeat')) === 0);
    const prefix = `repeat:${schedule.id}:`;
    const events = await connection.xrange('{headway}:steps:events', '-', '+');
    const started = events.filter(([, fields]) => fields.includes('active'));
    const ids = started.flatMap(([, fields]) => fields.filter((value) => value.startsWith(prefix)));
    const dues = [...new Set(ids)].map((id) => Number(id.slice(prefix.length))).sort((a, b) => a - b);
    expect(dues).toHaveLength(3);
    // The first run may have started while the schedule was created; the response then has the time of the second run.
    expect(dues.slice(0, 2)).toContain(schedule.nextRunAt);
    expect(Math.abs(dues[0]! - at - 1000)).toBeLessThan(LATE_MS);
    for (const due of dues) {
      expect(due % 2000).toBe(0);
      const late = (await beganAt('active', `${prefix}${due}`)) - due;
      expect(late).toBeGreaterThanOrEqual(0);
      expect(late).toBeLessThan(LATE_MS);
    }
    // The times in a job's view come from the same clock.
    const shown = (await (await client.get(delayed)).json()) as Record<string, number>;
    for (const time of ['createdAt', 'startedAt', 'finishedAt']) {
      expect(Math.abs(shown[time]! - at - 2000)).toBeLessThan(2000 + LATE_MS);
    }
  });

  it('setting the clocks back by an hour during a job delays neither the job nor its viewers', async () => {
    const [api, worker] = await start({});
    const client = clientOf(api.url);
    const job = await client.start('steps', { count: 40, intervalMs: 100 });
    const stream = await openStream(client.events(job), { token: job.token });
    await stream.waitFor(({ event, data }) => event === 'progress' && data.current >= 4);
    for (const { child } of [api, worker]) child.kill('SIGUSR2');
    const next = await client.start('steps', { count: 1, intervalMs: 1 }, { delayMs: 1000 });
    const begun = Date.now();
    await until('the delayed job ends', async () => {
      const { state } = (await (await client.get(next)).json()) as { state: string };
      return state === 'completed';
    });
    expect(Date.now() - begun).toBeLessThan(1000 + LATE_MS);
    await stream.ended;
    expect(stream.names()).not.toContain('stalled');
    expect(stream.names().at(-1)).toBe('completed');
    expect(await (await client.get(job)).json()).toMatchObject({ state: 'completed', attempt: 1 });
  });
});
