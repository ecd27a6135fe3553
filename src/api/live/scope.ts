import type { Redis } from 'ioredis';
import { dashboardKeys } from '../../shared/dashboard/keys.js';
import { MINUTES_SHOWN, minuteOf, namesIn } from '../../shared/dashboard/minutes.js';
import type { FailedJob } from '../../shared/dashboard/views.js';
import { scopeOf } from '../../shared/job-index/keys.js';
import type { JobFaults } from '../../shared/lifecycle/job-faults.js';
import type { SnapshotReader } from '../../shared/lifecycle/snapshot.js';
import { readProgress } from '../../shared/lifecycle/view.js';
import { serverNow } from '../../shared/redis/server-clock.js';
import type { PageReader } from '../jobs/page.js';
import type { FailedFilter, FailedReader } from './failed-jobs.js';
import type { CountReader, ScopeCounts } from './index-counts.js';
import type { LiveJob, LiveJobs } from './live-jobs.js';

/** Of jobs that run in processes which say nothing of themselves, the newest so many are shown. */
const OTHERS = 200;
/** Minutes to which somebody may still add: a counter waits a second before it is sent. */
const OPEN_MINUTES = 2;

/** What was told has been counted after this long. */
const COUNTED_AFTER_MS = 2000;

export interface ScopeReaders {
  redis: Redis;
  prefix: string;
  /** The kinds that are always counted. */
  kinds: string[];
  counts: CountReader;
  failed: FailedReader;
  readPage: PageReader;
  trackJob: SnapshotReader;
  faults: JobFaults;
  live: LiveJobs;
}

/** What the dashboard knows of one owner's jobs, or of everybody's, as of the last look at Redis. */
export class Scope {
  counts: ScopeCounts = { states: {}, names: {} };
  /** Minute -> its counters. A minute that has not changed stays the same object. */
  readonly minutes = new Map<number, Record<string, string>>();
  /** Jobs that run, of which no worker tells. */
  others: LiveJob[] = [];
  readonly failed = new Map<string, { filter: FailedFilter; jobs: FailedJob[] }>();
  /** How often it was looked at; 0: not yet. */
  version = 0;
  /** Something has changed since the last look began. */
  dirty = true;
  /** When the last look began, in ms of the monotonic clock. */
  lookedAt = Number.NEGATIVE_INFINITY;
  /** When another look is due, in ms of the monotonic clock: what ended is counted a moment after it was told. */
  againAt = Number.POSITIVE_INFINITY;
  /** Nothing was missed: only the newest minutes have to be read. */
  private whole = false;
  private looking: Promise<void> | undefined;

  constructor(
    readonly owner: string | undefined,
    private readonly readers: ScopeReaders,
  ) {}

  /** Jobs of it have changed. */
  touch(): void {
    this.dirty = true;
    this.againAt = performance.now() + COUNTED_AFTER_MS;
  }

  /** Says which lists of failed jobs are wanted: the others are forgotten. */
  wantFailed(filters: Map<string, FailedFilter>): void {
    for (const key of this.failed.keys()) if (!filters.has(key)) this.failed.delete(key);
    for (const [key, filter] of filters) {
      if (this.failed.has(key)) continue;
      this.failed.set(key, { filter, jobs: [] });
      this.dirty = true;
    }
  }

  /** Looks at Redis; a second call during a look waits for that one. @throws what the connection does */
  look(): Promise<void> {
    this.looking ??= this.readAll().finally(() => {
      this.looking = undefined;
    });
    return this.looking;
  }

  private async readAll(): Promise<void> {
    this.dirty = false;
    this.lookedAt = performance.now();
    try {
      await this.readMinutes();
      const seen = [...this.minutes.values()].flatMap(namesIn);
      const names = [...new Set([...this.readers.kinds, ...seen])].sort();
      const [counts] = await Promise.all([
        this.readers.counts(this.owner, names),
        this.readOthers(),
        this.readFailed(),
      ]);
      this.counts = counts;
      this.whole = true;
      this.version++;
    } catch (error) {
      this.dirty = true;
      // What was counted meanwhile comes when Redis is back, for the minutes that it is of.
      this.whole = false;
      throw error;
    }
  }

  private async readMinutes(): Promise<void> {
    const { redis, prefix } = this.readers;
    const now = minuteOf(serverNow());
    const first = now - MINUTES_SHOWN + 1;
    for (const minute of this.minutes.keys()) if (minute < first) this.minutes.delete(minute);
    const from = this.whole ? Math.max(first, now - OPEN_MINUTES) : first;
    await Promise.all(
      Array.from({ length: now - from + 1 }, async (_, i) => {
        const minute = from + i;
        const counted = await redis.hgetall(dashboardKeys(prefix).minute(scopeOf(this.owner), minute));
        const known = this.minutes.get(minute);
        if (Object.keys(counted).length === 0) return;
        if (known && JSON.stringify(known) === JSON.stringify(counted)) return;
        this.minutes.set(minute, counted);
      }),
    );
  }

  private async readOthers(): Promise<void> {
    const { redis, prefix, readPage, live, trackJob, faults } = this.readers;
    const { ids } = await readPage({
      owner: this.owner,
      states: ['active'],
      names: [],
      tags: [],
      limit: OTHERS,
    });
    const unheard = ids.filter((id) => !live.has(id));
    const others = await faults.each('show', unheard, async (jobId): Promise<LiveJob | undefined> => {
      const job = await trackJob(jobId);
      if (job?.state !== 'active') return undefined;
      const { id, name, attempt, createdAt, startedAt = createdAt, settings } = job;
      const progress = ((await readProgress(redis, prefix, job)) ?? {}) as Partial<LiveJob>;
      const { percent = null, current, total, unit, stage, ratePerSecond, etaMs, message } = progress;
      const published = { percent, current, total, unit, stage, ratePerSecond, etaMs, message };
      return { id, name, owner: settings.owner, attempt, startedAt, ...published };
    });
    this.others = others.filter((job) => job !== undefined);
  }

  private async readFailed(): Promise<void> {
    await Promise.all(
      [...this.failed.values()].map(async (wanted) => {
        wanted.jobs = await this.readers.failed(this.owner, wanted.filter);
      }),
    );
  }
}
