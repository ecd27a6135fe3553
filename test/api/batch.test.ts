import type { Request } from 'express';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NO_GRANTS } from '../../src/api/auth/principal.js';
import { createBatchStarter } from '../../src/api/jobs/batch.js';
import { createIdempotency } from '../../src/api/jobs/idempotency.js';
import { createJobStarter } from '../../src/api/jobs/start.js';
import { createLimitedStarter } from '../../src/api/jobs/start-limited.js';
import { createCallers } from '../../src/api/limits/caller.js';
import { createJobLimits } from '../../src/api/limits/jobs.js';
import { createPublisher } from '../../src/shared/channel/publisher.js';
import { planQueues } from '../../src/shared/jobs/queues.js';
import { loadRegistry } from '../../src/shared/jobs/registry.js';
import { createKeyspace } from '../../src/shared/keyspace.js';
import { createExpiry } from '../../src/shared/lifecycle/expiry.js';
import { readConfig } from '../../src/shared/process/config.js';
import { connectRedis } from '../../src/shared/redis/connect.js';
import { createQueues } from '../../src/shared/runtime/queues.js';

import { createWebhookStore } from '../../src/shared/webhooks/store.js';
import { webhookPolicy } from '../../src/shared/webhooks/target.js';
import { builtInJobsDir } from '../../src/worker/built-in-jobs.js';
import type { StartedJob } from '../support/client.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { allScripts, startRedis } from '../support/redis.js';
import { openTestStore } from '../support/run-job.js';
import { openStream } from '../support/sse.js';
import { until } from '../support/until.js';

interface Problem {
  code: string;
  status: number;
  detail: string;
  errors: Array<{ pointer: string; detail: string }>;
}
type Item = StartedJob & { deduplicated?: boolean; error?: Problem };

const steps = (count = 1, options?: object) => ({
  name: 'steps',
  data: { count, intervalMs: 0 },
  ...(options ? { options } : {}),
});

describe('POST /v1/jobs:batch', () => {
  let headway: Headway;
  beforeAll(async () => {
    headway = await startHeadway({ env: { BODY_MAX_BYTES: '200000' } });
  });
  afterAll(() => headway.stop());

  const post = (body: unknown, headers: Record<string, string> = {}, path = '/v1/jobs:batch') =>
    fetch(`${headway.api.url}${path}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
  const items = async (response: Response): Promise<Item[]> => {
    expect(response.status).toBe(202);
    return ((await response.json()) as { jobs: Item[] }).jobs;
  };
  const queued = async (): Promise<string | null> => headway.connection.get('{headway}:steps:id');

  it('starts hundreds of jobs in order, each like a single job, and all complete', async () => {
    const response = await post({ jobs: Array.from({ length: 200 }, (_, i) => steps(i % 3)) });
    expect(response.headers.getSetCookie().map((cookie) => cookie.split('=')[0])).toEqual([
      'headway_visitor',
    ]);
    const jobs = await items(response);
    expect(jobs).toHaveLength(200);
    expect(new Set(jobs.map(({ id }) => id)).size).toBe(200);
    for (const job of [jobs[0]!, jobs[100]!, jobs[199]!]) {
      expect(job).toEqual({
        id: expect.stringMatching(/^steps\.[0-9a-f-]{36}$/),
        name: 'steps',
        state: expect.stringMatching(/^(waiting|active|completed)$/),
        links: expect.objectContaining({ self: `/v1/jobs/${job.id}` }),
        token: expect.any(String),
      });
      const stream = await openStream(headway.client.events(job), { token: job.token });
      await stream.ended;
      expect(stream.names().filter((name) => name !== 'log' && name !== 'progress')).toEqual([
        'waiting',
        'active',
        'completed',
      ]);
    }
    expect(await (await headway.client.result(jobs[100]!)).json()).toEqual({ steps: 100 % 3 });
    await until('all have completed', async () => {
      return (await headway.connection.zcard('{headway}:steps:completed')) >= 200;
    });
  });

  it('accepts several kinds and options, and starts only one job per deduplication key', async () => {
    const deduplicationKey = 'nightly-report-of-ada';
    const file = await headway.client.upload('a.txt', 'hello');
    const jobs = await items(
      await post({
        jobs: [
          steps(1, { delayMs: 60_000, deduplicationKey }),
          { name: 'checksum', data: { file: file.id } },
          steps(1, { delayMs: 60_000, deduplicationKey }),
          steps(1, { delayMs: 60_000, ttlMs: 1000, tags: ['a'] }),
        ],
      }),
    );
    expect(jobs.map(({ name, state }) => [name, state])).toEqual([
      ['steps', 'delayed'],
      ['checksum', expect.stringMatching(/waiting|active|completed/)],
      ['steps', 'delayed'],
      ['steps', 'delayed'],
    ]);
    expect(jobs[1]!.id).toMatch(/^checksum\./);
    expect(jobs[2]).toMatchObject({ id: jobs[0]!.id, deduplicated: true });
    expect(jobs[0]).not.toHaveProperty('deduplicated');
    const expiresIn = Number(await headway.connection.zscore('headway:expiry', jobs[3]!.id)) - Date.now();
    expect(expiresIn).toBeGreaterThan(50_000);
    expect(expiresIn).toBeLessThanOrEqual(61_000);
  });

  it('starts nothing if one job is invalid, with a pointer to each error', async () => {
    const before = await queued();
    const response = await post({
      jobs: [
        steps(),
        { name: 'steps', data: { count: -1, intervalMs: 'x' } },
        { name: 'stepz' },
        steps(1, { attempts: 0 }),
        7,
        { name: 'checksum', data: { file: `file_${'a'.repeat(27)}` } },
      ],
    });
    expect(response.status).toBe(422);
    const problem = (await response.json()) as Problem;
    expect(problem).toMatchObject({ code: 'invalid-data', instance: '/v1/jobs:batch' });
    expect(problem.detail).toMatch(/^Job 1: \/data\/count: .* 4 more jobs are invalid. Nothing was queued.$/);
    expect(problem.errors.map(({ pointer }) => pointer)).toEqual([
      '/jobs/1/data/count',
      '/jobs/1/data/intervalMs',
      '/jobs/2/name',
      '/jobs/3/options/attempts',
      '/jobs/4',
      '/jobs/5/data/file',
    ]);
    expect(await queued()).toBe(before);
  });

  it('starts the valid jobs with per-item, and reports the others in their places', async () => {
    const before = Number(await queued());
    const jobs = await items(
      await post({
        mode: 'per-item',
        jobs: [{ name: 'stepz' }, steps(2), steps(1, { attempt: 1 }), steps(3)],
      }),
    );
    expect(jobs.map(({ error }) => error?.code)).toEqual([
      'unknown-job',
      undefined,
      'invalid-request',
      undefined,
    ]);
    expect(jobs[0]!.error).toMatchObject({ status: 422, errors: [{ pointer: '/jobs/0/name' }] });
    expect(jobs[2]!.error).toMatchObject({ status: 400, errors: [{ pointer: '/jobs/2/options' }] });
    const stream = await openStream(headway.client.events(jobs[3]!), { token: jobs[3]!.token });
    expect((await stream.waitFor('completed')).data.result).toEqual({ steps: 3 });
    expect(Number(await queued())).toBe(before + 2);
  });

  it.each([
    ['no body', undefined, '/jobs'],
    ['no jobs', {}, '/jobs'],
    ['an empty list', { jobs: [] }, '/jobs'],
    ['too many', { jobs: Array.from({ length: 1001 }, () => 1) }, '/jobs'],
    ['jobs that are not a list', { jobs: steps() }, '/jobs'],
    ['an unknown mode', { jobs: [steps()], mode: 'some' }, '/mode'],
    ['an unknown field', { jobs: [steps()], options: {} }, ''],
  ])('refuses %s', async (_what, body, pointer) => {
    const response = await post(body);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: 'invalid-request', errors: [{ pointer }] });
  });

  it('refuses a body over the limit, another method and another type', async () => {
    const large = await post({ jobs: [steps(1, { metadata: { text: 'x'.repeat(200_000) } })] });
    expect(large.status).toBe(413);
    expect(await large.json()).toMatchObject({ code: 'body-too-large' });
    const get = await fetch(`${headway.api.url}/v1/jobs:batch`);
    expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST, OPTIONS']);
    expect((await post({ jobs: [steps()] }, { 'Content-Type': 'text/plain' })).status).toBe(415);
    expect((await post({ jobs: [steps()] }, {}, '/v1/jobs:batches')).status).toBe(404);
  });

  it('returns the same jobs for the same Idempotency-Key and body, concurrently and later', async () => {
    const headers = { 'Idempotency-Key': 'a-batch-of-ada-and-grace' };
    const deduplicationKey = 'a-job-of-ada-and-grace';
    const [single] = await items(await post({ jobs: [steps(1, { delayMs: 60_000, deduplicationKey })] }));
    const body = {
      mode: 'per-item',
      jobs: [steps(1), { name: 'stepz' }, steps(2), steps(1, { delayMs: 60_000, deduplicationKey })],
    };
    const known = () => headway.connection.hlen('{headway}.index');
    const before = await known();
    const answers = await Promise.all([1, 2, 3].map(async () => items(await post(body, headers))));
    const identity = (jobs: Item[]) =>
      jobs.map(({ id, name, deduplicated, error }) => ({ id, name, deduplicated, error }));
    // One job has ended before the last call, and must not be started again.
    await headway.client.cancel(single!);
    answers.push(await items(await post({ jobs: body.jobs, mode: body.mode }, headers)));
    for (const answer of answers) expect(identity(answer)).toEqual(identity(answers[0]!));
    expect(answers[0]![3]).toMatchObject({ id: single!.id, deduplicated: true });
    expect(answers[0]![1]!.error).toMatchObject({ code: 'unknown-job' });
    await until('both have completed', async () => {
      const found = await Promise.all([0, 2].map((i) => headway.client.get(answers[0]![i]!)));
      const states = await Promise.all(
        found.map(async (response) => ((await response.json()) as { state: string }).state),
      );
      return states.every((state) => state === 'completed');
    });
    expect(await known()).toBe(before + 2);
    const other = await post({ jobs: [steps(9)] }, headers);
    expect(other.status).toBe(409);
    expect(await other.json()).toMatchObject({ code: 'idempotency-conflict' });
  });

  it('does not use up an Idempotency-Key on a refused batch', async () => {
    const headers = { 'Idempotency-Key': 'a-batch-with-a-mistake' };
    expect((await post({ jobs: [steps(), { name: 'stepz' }] }, headers)).status).toBe(422);
    expect((await post({ jobs: [steps(), steps()] }, headers)).status).toBe(202);
  });
});

describe('the queuing of a batch', () => {
  it('can be the first work of a process, also with as many jobs as a batch may have', async () => {
    const headway = await startHeadway({ workers: 0 });
    const start = (count: number) =>
      fetch(`${headway.api.url}/v1/jobs:batch`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ jobs: Array(count).fill(steps()) }),
      });
    try {
      const responses = await Promise.all([1000, 100, 100, 100].map(start));
      expect(responses.map(({ status }) => status)).toEqual([202, 202, 202, 202]);
      expect(await headway.connection.llen('{headway}:steps:wait')).toBe(1300);
    } finally {
      await headway.stop();
    }
  });

  it('takes one round trip to Redis, in which each job is published before it is queued', async () => {
    const server = await startRedis();
    const redis = connectRedis(server.url, 'request', { scripts: allScripts });
    await until('connected', () => redis.status === 'ready');
    const registry = await loadRegistry([builtInJobsDir]);
    const keyspace = createKeyspace('other');
    const queues = createQueues(redis, keyspace, () => {});
    const starter = createJobStarter({
      redis,
      keyspace,
      openQueue: queues,
      publisher: createPublisher({ redis, keyspace, logLength: 10, ttlMs: 60_000, sharded: true }),
      plan: planQueues(registry, ''),
      registry,
      store: openTestStore(),
      isHeld: async () => false,
      expiry: createExpiry(redis, keyspace),
      oneTurn: true,
      webhooks: createWebhookStore(redis, keyspace, 60_000),
      defaultTimeoutMs: 0,
      webhookRules: { ...webhookPolicy(readConfig({})), ownSecret: false },
    });
    const limits = createJobLimits(redis, keyspace, { max: () => undefined });
    const startBatch = createBatchStarter({
      starter,
      limitedStarter: createLimitedStarter(starter, limits),
      shards: 1,
      idempotency: createIdempotency(redis, keyspace, 1000),
    });
    const caller = { id: 'user:ada', signedIn: true, admin: false, grants: NO_GRANTS };
    const limited = createCallers('off').caller({ ip: '127.0.0.1' } as Request, caller);
    const jobs = Array.from({ length: 100 }, (_, i) => steps(i, i % 2 ? { ttlMs: 60_000 } : {}));
    try {
      // As in a process, the queue is open before the first job. The first call on a connection also sends the scripts.
      await queues('steps').getVersion();
      await startBatch({ jobs: jobs.slice(0, 2) }, caller, limited, undefined);
      const { stream } = redis as unknown as { stream: NodeJS.WritableStream };
      const { write } = stream;
      const writes: string[] = [];
      stream.write = function (this: unknown, ...args: unknown[]) {
        writes.push(String(args[0]));
        return Reflect.apply(write, stream, args) as boolean;
      } as typeof write;
      const started = await startBatch({ jobs }, caller, limited, undefined);
      expect(writes).toHaveLength(1);
      const [sent] = writes;
      for (const item of started) {
        const { id } = item as { id: string };
        const published = sent!.indexOf(`{job:${id}}`);
        const added = sent!.indexOf(id, sent!.indexOf('{other}:steps:wait', published));
        expect(published).toBeGreaterThan(0);
        expect(added).toBeGreaterThan(published);
      }
      expect(await redis.llen('{other}:steps:wait')).toBe(102);
    } finally {
      redis.disconnect();
      await server.stop();
    }
  });
});
