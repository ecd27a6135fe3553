import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPageReader } from '../../../src/api/jobs/page.js';
import { createTracker } from '../../../src/shared/job-index/tracker.js';
import { createRetentionTimes } from '../../../src/shared/jobs/retention-times.js';
import { jobSettings } from '../../../src/shared/jobs/settings.js';
import { JOB_STATES } from '../../../src/shared/jobs/states.js';
import { createKeyspace } from '../../../src/shared/keyspace.js';
import { jobView } from '../../../src/shared/lifecycle/view.js';
import { openRedis, startRedis, type TestRedis } from '../../support/redis.js';

const ODD: unknown[] = [
  undefined,
  null,
  true,
  0,
  -1,
  Number.POSITIVE_INFINITY,
  Number.NaN,
  2 ** 60,
  0.5,
  '',
  'nan',
  'inf',
  '7',
  'x'.repeat(1000),
  'a b',
  [],
  [[]],
  [null, 7, {}, 'tag', 'a b', ''],
  Array.from({ length: 500 }, (_, i) => `tag-${i}`),
  {},
  { id: 7, version: 'x' },
  { length: 2, 0: 'a' },
];
const FIELDS = [
  'timeoutMs',
  'expiresAt',
  'ttlMs',
  'schedule',
  'owner',
  'keepMs',
  'ancestors',
  'metadata',
  'title',
  'tags',
  'webhook',
  'of',
];

describe('the settings of a job of another tool', () => {
  it('keep valid values', () => {
    const settings = {
      timeoutMs: 1000,
      expiresAt: 1_790_000_000_000,
      owner: 'user:ada',
      keepMs: 60_000,
      ancestors: ['steps.a', 'steps.b'],
      metadata: { a: 1 },
      title: 'Invoices of May',
      tags: ['a', 'b/c'],
      schedule: { id: 'nightly', version: 3 },
      webhook: true,
      of: 'steps.a',
    };
    expect(jobSettings({ headway: settings })).toEqual(settings);
    expect(jobSettings({ headway: { ...settings, metadata: '{"a":1}' } })).toEqual(settings);
    expect(jobSettings({ jobId: 'repeat:nightly:5000', headway: { ttlMs: 100 } })).toEqual({
      ttlMs: 100,
      expiresAt: 5100,
    });
  });

  it('are valid for any options', () => {
    for (const opts of ODD) expect(Object.keys(jobSettings(opts))).toEqual([]);
    for (const value of ODD) {
      for (const field of FIELDS) check(jobSettings({ jobId: value, headway: { [field]: value } }));
      check(
        jobSettings({ jobId: value, headway: Object.fromEntries(FIELDS.map((field) => [field, value])) }),
      );
    }
  });

  function check(settings: ReturnType<typeof jobSettings>): void {
    const {
      timeoutMs = 1,
      expiresAt = 0,
      ttlMs = 1,
      keepMs = 1000,
      owner = '',
      of = '',
      title = 'x',
    } = settings;
    for (const number of [timeoutMs, expiresAt, ttlMs, keepMs]) expect(Number.isFinite(number)).toBe(true);
    expect(timeoutMs).toBeGreaterThan(0);
    expect(keepMs).toBeGreaterThanOrEqual(1000);
    expect([typeof owner, typeof of]).toEqual(['string', 'string']);
    expect(title).toMatch(/^[^\n\r]{1,200}$/);
    const { tags = [], ancestors = [], metadata = {}, schedule = { id: '', version: 0 } } = settings;
    expect([...tags, ...ancestors].every((entry) => typeof entry === 'string')).toBe(true);
    expect(tags.length).toBeLessThanOrEqual(20);
    expect(Object.getPrototypeOf(metadata)).toBe(Object.prototype);
    expect([typeof schedule.id, typeof schedule.version]).toEqual(['string', 'number']);
    expect([undefined, true]).toContain(settings.webhook);
  }

  describe('in Redis', () => {
    let server: TestRedis;
    let redis: Redis;
    beforeAll(async () => {
      server = await startRedis();
      redis = openRedis(server.url);
    });
    afterAll(async () => {
      redis.disconnect();
      await server.stop();
    });

    it('let every job be read, indexed and shown, and the script agrees with the code', async () => {
      const keep = createRetentionTimes({ KEEP_JOBS_MS: 60_000, GONE_JOBS_MS: 60_000 });
      const trackJob = createTracker({ redis, keyspace: createKeyspace('odd'), keep });
      const readPage = createPageReader(redis, createKeyspace('odd'));
      const made: Array<{ id: string; opts: unknown }> = [];
      for (const value of ODD) {
        for (const field of [...FIELDS, '']) {
          const id = randomUUID();
          const headway = field === '' ? value : { [field]: value };
          const opts = JSON.stringify({ jobId: id, headway });
          const finishedOn = Date.now();
          await redis.hset(`{odd}:q:${id}`, { name: 'odd', timestamp: 1, finishedOn, opts });
          // The removal time of a finished job follows from its settings.
          await redis.zadd('{odd}:q:completed', finishedOn, id);
          made.push({ id, opts: JSON.parse(opts) });
        }
      }
      for (const { id, opts } of made) {
        const job = await trackJob(`q..${id}`);
        expect(job?.settings).toEqual(jobSettings(opts));
        expect(JSON.parse(JSON.stringify(jobView(job!, null, '')))).toMatchObject({
          id: `q..${id}`,
          name: 'odd',
        });
        const due = Number(await redis.zscore('{odd}.due', `q..${id}`));
        expect(due - job!.finishedAt!).toBe(keep.of('odd', job!.settings));
        for (const tag of job!.settings.tags?.slice(0, 2) ?? []) {
          const { ids } = await readPage({ states: JOB_STATES, names: [], tags: [tag], limit: 1000 });
          expect(ids).toContain(`q..${id}`);
        }
      }
    });

    it('are read although other fields of the job are invalid too', async () => {
      const trackJob = createTracker({
        redis,
        keyspace: createKeyspace('odd'),
        keep: createRetentionTimes({ KEEP_JOBS_MS: 60_000, GONE_JOBS_MS: 60_000 }),
      });
      const nonsense = ['', 'nan', 'inf', '-1', '1e999', 'x', 'null', '[]', '{', '['.repeat(200_000)];
      for (const [i, value] of nonsense.entries()) {
        const fields = [
          'ats',
          'atm',
          'stc',
          'processedOn',
          'finishedOn',
          'timestamp',
          'opts',
          'returnvalue',
          'progress',
        ];
        const id = `nonsense-${i}`;
        await redis.hset(`{odd}:q:${id}`, {
          name: 'odd',
          ...Object.fromEntries(fields.map((f) => [f, value])),
        });
        await redis.zadd('{odd}:q:completed', 1, id);
        for (const suffix of ['dependencies', 'processed', 'failed', 'unsuccessful']) {
          await redis.set(`{odd}:q:${id}:${suffix}`, 'no set');
        }
        const job = await trackJob(`q..${id}`);
        expect(job).toMatchObject({ state: 'completed', settings: {} });
        const { attempt, attempts, failures, stalls, createdAt, finishedAt } = job!;
        for (const number of [attempt, attempts, failures, stalls, createdAt, finishedAt]) {
          expect(Number.isSafeInteger(number)).toBe(true);
        }
        expect(JSON.parse(JSON.stringify(jobView(job!, null, '')))).toMatchObject({
          id: `q..${id}`,
          state: 'completed',
        });
        expect(new Date(finishedAt!).getTime()).toBe(finishedAt);
      }
    });
  });
});
