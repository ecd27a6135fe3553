import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addressOf } from '../../src/shared/jobs/queues.js';
import { shardOf } from '../../src/shared/shards.js';
import { RULES, refusedCalls, USER } from '../support/acl.js';
import type { StartedJob } from '../support/client.js';
import { ADMIN_TOKEN, openDashboard } from '../support/dashboard.js';
import { familyJobs } from '../support/family.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { jobsDir } from '../support/jobs.js';
import { startReceiver } from '../support/receiver.js';
import { schedulesOf, userToken } from '../support/schedules.js';
import { borrowHeadway } from '../support/shared-headway.js';
import { openStream, type TestStream } from '../support/sse.js';
import { until } from '../support/until.js';

const STEPS = { count: 1, intervalMs: 0 };
const LATER = { delayMs: 600_000 };

const shardOfJob = ({ id }: { id: string }): number => shardOf(addressOf(id)!.queue);

it('an id in a shard that does not exist is unknown, also to a user of Redis with access to the first shard only', async () => {
  const headway = await borrowHeadway();
  const allow = (rules: string[]) => headway.connection.acl('SETUSER', USER, 'resetkeys', ...rules);
  try {
    // The rules that were documented before there were shards.
    await allow(RULES.filter((rule) => !rule.startsWith('~{headway~')));
    const id = `steps~s7.${randomUUID()}`;
    for (const path of [`/v1/jobs/${id}`, `/v1/jobs/${id}/events`, `/v1/events?job=${id}`]) {
      const response = await fetch(`${headway.api.url}${path}`, {
        headers: { Authorization: `Bearer ${ADMIN_TOKEN}` },
      });
      expect(response.status, path).toBe(404);
    }
  } finally {
    await allow(RULES);
    await headway.stop();
  }
});

describe('with two shards', () => {
  let headway: Headway;
  beforeAll(async () => {
    headway = await startHeadway({
      workers: 2,
      restricted: true,
      env: {
        QUEUE_SHARDS: '2',
        ADMIN_TOKEN,
        WEBHOOK_HOSTS: '127.0.0.1',
        WEBHOOK_ALLOW_PRIVATE: 'true',
        WORKER_CONCURRENCY: '20',
        WEBHOOK_SECRET: `whsec_${Buffer.alloc(32).toString('base64')}`,
        JOBS_DIR: jobsDir('steered', { file: 'metered', concurrency: 2 }, ...familyJobs()),
      },
    });
  });
  afterAll(() => headway.stop());

  const watch = (job: StartedJob): Promise<TestStream> =>
    openStream(headway.client.events(job), { token: job.token });
  const view = async (job: StartedJob): Promise<Record<string, unknown>> =>
    (await headway.client.get(job)).json() as Promise<Record<string, unknown>>;

  /** Starts jobs until one is in a shard. */
  async function startIn(
    shard: number,
    name: string,
    data: object,
    options?: Record<string, unknown>,
  ): Promise<StartedJob> {
    for (;;) {
      const job = await headway.client.start(name, data, options);
      if (shardOfJob(job) === shard) return job;
    }
  }

  it.each([0, 1])('a job in shard %i is started, watched, found, and run', async (shard) => {
    const job = await startIn(shard, 'steps', { count: 3, intervalMs: 1 });
    expect(job.id).toMatch(shard === 0 ? /^steps\.[0-9a-f-]{36}$/ : /^steps~s1\.[0-9a-f-]{36}$/);
    const stream = await watch(job);
    await stream.ended;
    expect(stream.names().at(-1)).toBe('completed');
    expect(await view(job)).toMatchObject({ id: job.id, state: 'completed', result: { steps: 3 } });
    expect(
      await headway.connection.exists(`${shard === 0 ? '{headway}' : '{headway~1.10}'}:steps:${job.id}`),
    ).toBe(1);
  });

  it.each([0, 1])(
    'a waiting, a running and a failed job in shard %i are cancelled and retried',
    async (shard) => {
      const waiting = await startIn(shard, 'steps', STEPS, LATER);
      expect(await (await headway.client.cancel(waiting)).json()).toMatchObject({ state: 'cancelled' });
      // The jobs that are not in the shard wait for instructions of their own.
      let turns = '';
      let running: StartedJob;
      do {
        turns = `turns ${randomUUID()}`;
        running = await headway.client.start('steered', { turns });
      } while (shardOfJob(running) !== shard);
      const stream = await watch(running);
      await stream.waitFor('active');
      expect((await headway.client.cancel(running)).status).toBe(202);
      await stream.ended;
      expect(stream.names().at(-1)).toBe('cancelled');
      expect((await headway.client.retry(running)).status).toBe(202);
      await headway.connection.lpush(turns, 'end');
      const again = await watch(running);
      await again.waitFor('completed');
      expect(await view(running)).toMatchObject({ state: 'completed', attempt: 2 });
    },
  );

  it.each([0, 1])('children and webhook deliveries are in the shard of their job: %i', async (shard) => {
    const receiver = await startReceiver();
    const job = await startIn(shard, 'tree', { count: 3 }, { webhook: { url: receiver.url } });
    const stream = await watch(job);
    await stream.ended;
    expect(stream.events.at(-1)).toMatchObject({
      event: 'completed',
      data: { result: { sum: 6, missing: 0 } },
    });
    const prefix = shard === 0 ? '{headway}' : '{headway~1.10}';
    const children = await headway.connection.hkeys(`${prefix}:tree:${job.id}:processed`);
    expect(children).toHaveLength(3);
    for (const child of children)
      expect(child.startsWith(`${prefix}:leaf:leaf${shard ? '~s1' : ''}.`)).toBe(true);
    // Jobs of the other shard call the receiver, too.
    const callsFor = () => receiver.calls.filter(({ json }) => json.data.id === job.id);
    await until('the receiver was called', () => callsFor().length > 0);
    const calls = callsFor();
    expect(calls).toHaveLength(1);
    expect(calls[0]!.headers['webhook-id']).toMatch(/^msg_[\w-]{43}$/);
    const { webhook } = (await view(job)) as { webhook: { id: string } };
    expect(shardOfJob(webhook)).toBe(shard);
    await receiver.stop();
  });

  it('jobs with the same deduplication or idempotency key are the same job', async () => {
    const keys = Array.from({ length: 8 }, (_, i) => `deduplication-key-${i}`);
    const starts = keys.flatMap((deduplicationKey) =>
      [1, 2].map(() => headway.client.start('steps', STEPS, { ...LATER, deduplicationKey })),
    );
    const ids = (await Promise.all(starts)).map(({ id }) => id);
    for (const i of keys.keys()) expect(ids[2 * i]).toBe(ids[2 * i + 1]);
    expect(new Set(ids.map((id) => shardOfJob({ id })))).toEqual(new Set([0, 1]));

    const body = { name: 'steps', data: STEPS, options: LATER };
    const header = { 'Idempotency-Key': 'an-idempotency-key' };
    const same = await Promise.all(
      [1, 2, 3].map(async () => (await headway.client.post(body, header)).json()),
    );
    expect(new Set((same as StartedJob[]).map(({ id }) => id)).size).toBe(1);
  });

  it('a batch is spread over the shards, and its key finds the same jobs again', async () => {
    const post = async (): Promise<StartedJob[]> => {
      const response = await fetch(`${headway.api.url}/v1/jobs:batch`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', 'Idempotency-Key': 'the-key-of-a-batch' },
        body: JSON.stringify({ jobs: Array(40).fill({ name: 'steps', data: STEPS, options: LATER }) }),
      });
      expect(response.status).toBe(202);
      return ((await response.json()) as { jobs: StartedJob[] }).jobs;
    };
    const [first, second] = [await post(), await post()];
    expect(new Set(first.map(({ id }) => id)).size).toBe(40);
    expect(second.map(({ id }) => id)).toEqual(first.map(({ id }) => id));
    expect(new Set(first.map(shardOfJob))).toEqual(new Set([0, 1]));
    for (const job of first) expect(await view(job)).toMatchObject({ state: 'delayed' });
  });

  it('the list merges the shards, and its cursors hold while jobs are added', async () => {
    const headers = { Authorization: `Bearer ${await userToken(headway, 'ada')}` };
    const started: StartedJob[] = [];
    const start = async (): Promise<void> => {
      const response = await headway.client.post({ name: 'steps', data: STEPS, options: LATER }, headers);
      started.push((await response.json()) as StartedJob);
    };
    for (let i = 0; i < 25; i++) await start();
    const before = started.map(({ id }) => id);
    expect(new Set(started.map(shardOfJob))).toEqual(new Set([0, 1]));
    const found: Array<{ id: string; createdAt: number }> = [];
    let next: string | undefined;
    do {
      const query = `?limit=4${next ? `&cursor=${next}` : ''}`;
      const page = (await (await fetch(`${headway.api.url}/v1/jobs${query}`, { headers })).json()) as {
        jobs: typeof found;
        next?: string;
      };
      found.push(...page.jobs);
      if (page.next) expect(page.jobs).toHaveLength(4);
      next = page.next;
      await start();
    } while (next);
    expect(found.map(({ id }) => id).sort()).toEqual(before.sort());
    const order = [...found].sort((a, b) => b.createdAt - a.createdAt || (a.id > b.id ? -1 : 1));
    expect(found).toEqual(order);
  });

  it('the dashboard, the definitions and the metrics show each queue once, with the jobs of all shards', async () => {
    await startIn(0, 'steps', STEPS, LATER);
    await startIn(1, 'steps', STEPS, LATER);
    const sizes = await Promise.all(
      ['{headway}', '{headway~1.10}'].map((prefix) => headway.connection.zcard(`${prefix}:steps:delayed`)),
    );
    const delayed = sizes.reduce((sum, size) => sum + size);
    expect(sizes).not.toContain(0);
    const dashboard = await openDashboard(headway.api.url);
    const state = await dashboard.shows('all jobs', ({ names }) => names.steps?.delayed === delayed);
    expect(state.queues.filter(({ name }) => name.startsWith('steps'))).toEqual([
      { name: 'steps', jobs: ['steps'], paused: false, noWorker: false },
    ]);
    dashboard.close();
    // A process that is too busy to count jobs in time answers without them.
    const metrics = await until('the metrics show them', async () => {
      const text = await (await fetch(headway.api.metrics)).text();
      return text.includes(`headway_queue_jobs{queue="steps",state="delayed"} ${delayed}\n`) && text;
    });
    expect(metrics).not.toContain('~s1');
  });

  it('a kind is paused in all shards', async () => {
    const admin = { method: 'POST', headers: { Authorization: `Bearer ${ADMIN_TOKEN}` } };
    const definitions = `${headway.api.url}/v1/definitions`;
    expect((await fetch(`${definitions}/steps/pause`, admin)).status).toBe(200);
    const jobs = [await startIn(0, 'steps', STEPS), await startIn(1, 'steps', STEPS)];
    for (const job of jobs) expect(await view(job)).toMatchObject({ state: 'waiting', paused: true });
    expect((await fetch(`${definitions}/steps/resume`, admin)).status).toBe(200);
    for (const job of jobs) await until('it has run', async () => (await view(job)).state === 'completed');
  });

  it('the overview of a queue shows the jobs of all its shards', async () => {
    const jobs = [await startIn(0, 'steps', STEPS, LATER), await startIn(1, 'steps', STEPS, LATER)];
    const stream = await openStream(`${headway.api.url}/v1/events?queue=steps`, { token: ADMIN_TOKEN });
    for (const { id } of jobs) {
      await stream.waitFor(({ event, data }) => event === 'job' && data.jobId === id);
    }
    stream.close();
  });

  it('Bull Board shows every queue', async () => {
    const response = await fetch(`${headway.api.url}/admin/queues/api/queues?page=1&jobsPerPage=10`, {
      headers: { Authorization: `Bearer ${ADMIN_TOKEN}` },
    });
    const { queues } = (await response.json()) as {
      queues: Array<{ name: string; counts: { delayed: number } }>;
    };
    for (const name of ['steps', 'shard-1-steps']) {
      expect(queues.find((queue) => queue.name === name)!.counts.delayed).toBeGreaterThan(0);
    }
  });

  it('the runs of a schedule are in its shard', async () => {
    const calls = schedulesOf(headway, await userToken(headway, 'grace'));
    const schedules = new Map<number, Awaited<ReturnType<typeof calls.make>>>();
    while (schedules.size < 2) {
      const schedule = await calls.make({ name: 'steps', data: STEPS, everyMs: 1000 });
      const { nextRun } = await calls.until('there is a next run', schedule, (now) => now.nextRun);
      const shard = shardOfJob(nextRun!);
      if (schedules.has(shard)) await calls.remove(schedule);
      else schedules.set(shard, schedule);
    }
    await Promise.all(
      Array.from(schedules, async ([shard, schedule]) => {
        const now = await calls.until(
          'two runs have begun',
          schedule,
          ({ runs, nextRun }) => runs >= 2 && nextRun,
        );
        expect([shardOfJob(now.lastRun!), shardOfJob(now.nextRun!)]).toEqual([shard, shard]);
        const run = (await (await calls.call(schedule.links.run, 'POST')).json()) as StartedJob;
        expect(shardOfJob(run)).toBe(shard);
        expect((await calls.remove(schedule)).status).toBe(204);
      }),
    );
  });

  it('each process runs as many jobs at a time as with one shard', async () => {
    const { connection } = headway;
    await connection.del('begun');
    const jobs = await Promise.all(Array.from({ length: 20 }, () => startIn(1, 'metered', {})));
    await until('as many have begun as may', async () => (await connection.llen('begun')) === 4);
    const running = async (): Promise<number> => {
      const active = ['{headway}', '{headway~1.10}'].map((prefix) =>
        connection.llen(`${prefix}:metered:active`),
      );
      return (await Promise.all(active)).reduce((sum, length) => sum + length);
    };
    for (let done = 1; (await connection.llen('begun')) < 20; done++) {
      expect(await running()).toBeLessThanOrEqual(4);
      await connection.lpush('tokens', 'go');
      const expected = Math.min(20, 4 + done);
      await until('the next has begun', async () => (await connection.llen('begun')) >= expected);
    }
    const most = (await connection.lrange('begun', '0', '-1')).map((line) => Number(line.split(' ')[1]));
    expect(Math.max(...most)).toBe(2);
    await connection.lpush('tokens', ...Array<string>(60).fill('go'));
    for (const job of jobs) await until('it has ended', async () => (await view(job)).state === 'completed');
  });

  it('several processes share the work of the shards', async () => {
    // The leases of one process have the same holder.
    const holders = async (): Promise<Array<string | null>> =>
      Promise.all(
        ['headway:{bridge}:lease', '{headway~1.10}.lease'].map((key) => headway.connection.get(key)),
      );
    await until('two workers lead', async () => {
      const [first, second] = await holders();
      return first?.startsWith('worker:') && second?.startsWith('worker:') && first !== second;
    });
  });

  // The last test, so that it sees what the others have called.
  it('a user of Redis with the documented rules may do what shards need', async () => {
    expect(await refusedCalls(headway.connection)).toEqual([]);
  });
});
