import { dashboardKeys } from '../../shared/dashboard/keys.js';
import { MINUTES_SHOWN, minuteOf, namesIn } from '../../shared/dashboard/minutes.js';
import type { FailedJob } from '../../shared/dashboard/views.js';
import { scopeOf } from '../../shared/job-index/keys.js';
import type { Keyspace } from '../../shared/keyspace.js';
import type { JobFaults } from '../../shared/lifecycle/job-faults.js';
import type { SnapshotReader } from '../../shared/lifecycle/snapshot.js';
import { readProgress } from '../../shared/lifecycle/view.js';
import { singleFlight } from '../../shared/process/every.js';
import type { RedisClient } from '../../shared/redis/client.js';
import { serverNow } from '../../shared/redis/server-clock.js';
import type { PageReader } from '../jobs/page.js';
import type { FailedFilter, FailedReader } from './failed-jobs.js';
import type { CountReader, OwnerCounts } from './index-counts.js';
import type { LiveJob, LiveJobs } from './live-jobs.js';

/** Maximum number of running jobs to show for workers without reports. The newest jobs are shown. */
const MAX_UNREPORTED = 200;
/** How many of the newest minutes may still change: a process sends its counts up to a second late. */
const OPEN_MINUTES = 2;
/** Maximum time until the counts of a minute include a change, in ms. */
const COUNTED_AFTER_MS = 2000;

export interface OwnerViewReaders {
  redis: RedisClient;
  keyspace: Keyspace;
  /** The kinds of job that are always counted. */
  kinds: string[];
  counts: CountReader;
  failed: FailedReader;
  readPage: PageReader;
  trackJob: SnapshotReader;
  faults: JobFaults;
  live: LiveJobs;
}

/** What dashboards show of one owner's jobs, or of all jobs, as last read from Redis. */
export class OwnerView {
  counts: OwnerCounts = { states: {}, names: {} };
  /** The counters of each minute. A minute that has not changed stays the same object. */
  readonly minutes = new Map<number, Record<string, string>>();
  /** Running jobs that no worker reports. */
  unreported: LiveJob[] = [];
  readonly failed = new Map<string, { filter: FailedFilter; jobs: FailedJob[] }>();
  /** The number of reads so far. */
  version = 0;
  /** Whether something has changed since the last read began. */
  outdated = true;
  /** When the last read began, in ms of the monotonic clock. */
  readAt = Number.NEGATIVE_INFINITY;
  /** When to read the view again after a change, because counts are late, in ms of the monotonic clock. */
  rereadAt = Number.POSITIVE_INFINITY;
  /** Whether no minute was missed, so that only the newest ones have to be read. */
  private complete = false;

  /** Reads the view from Redis. A call during a read waits for that read. @throws the error of the connection */
  readonly read = singleFlight(() => this.readAll());

  /** @param owner `undefined` for the jobs of all owners */
  constructor(
    readonly owner: string | undefined,
    private readonly readers: OwnerViewReaders,
  ) {}

  /** Called when jobs of the view have changed. */
  markChanged(): void {
    this.outdated = true;
    this.rereadAt = performance.now() + COUNTED_AFTER_MS;
  }

  /** Sets which lists of failed jobs are read. Other lists are dropped. */
  requestFailedJobs(filters: Map<string, FailedFilter>): void {
    for (const key of this.failed.keys()) if (!filters.has(key)) this.failed.delete(key);
    for (const [key, filter] of filters) {
      if (this.failed.has(key)) continue;
      this.failed.set(key, { filter, jobs: [] });
      this.outdated = true;
    }
  }

  private async readAll(): Promise<void> {
    this.outdated = false;
    this.readAt = performance.now();
    try {
      await this.readMinutes();
      const counted = [...this.minutes.values()].flatMap(namesIn);
      const names = [...new Set([...this.readers.kinds, ...counted])].sort();
      const [counts] = await Promise.all([
        this.readers.counts(this.owner, names),
        this.readUnreported(),
        this.readFailed(),
      ]);
      this.counts = counts;
      this.complete = true;
      this.version++;
    } catch (error) {
      this.outdated = true;
      // Processes send the counts of an outage when Redis is back, for the minutes that they belong to.
      this.complete = false;
      throw error;
    }
  }

  private async readMinutes(): Promise<void> {
    const { redis, keyspace } = this.readers;
    const now = minuteOf(serverNow());
    const first = now - MINUTES_SHOWN + 1;
    for (const minute of this.minutes.keys()) if (minute < first) this.minutes.delete(minute);
    const from = this.complete ? Math.max(first, now - OPEN_MINUTES) : first;
    await Promise.all(
      Array.from({ length: now - from + 1 }, async (_, i) => {
        const minute = from + i;
        const counters = await redis.hgetall(dashboardKeys(keyspace).minute(scopeOf(this.owner), minute));
        const known = this.minutes.get(minute);
        if (Object.keys(counters).length === 0) return;
        if (known && JSON.stringify(known) === JSON.stringify(counters)) return;
        this.minutes.set(minute, counters);
      }),
    );
  }

  private async readUnreported(): Promise<void> {
    const { redis, keyspace, readPage, live, trackJob, faults } = this.readers;
    const { ids } = await readPage({
      owner: this.owner,
      states: ['active'],
      names: [],
      tags: [],
      limit: MAX_UNREPORTED,
    });
    const unreported = ids.filter((id) => !live.has(id));
    const jobs = await faults.each('show', unreported, async (jobId): Promise<LiveJob | undefined> => {
      const job = await trackJob(jobId);
      if (job?.state !== 'active') return undefined;
      const { id, name, attempt, createdAt, startedAt = createdAt, settings } = job;
      const progress = ((await readProgress(redis, keyspace, job)) ?? {}) as Partial<LiveJob>;
      const { percent = null, current, total, unit, stage, ratePerSecond, etaMs, message } = progress;
      const shown = { percent, current, total, unit, stage, ratePerSecond, etaMs, message };
      return { id, name, owner: settings.owner, attempt, startedAt, ...shown };
    });
    this.unreported = jobs.filter((job) => job !== undefined);
  }

  private async readFailed(): Promise<void> {
    await Promise.all(
      [...this.failed.values()].map(async (list) => {
        list.jobs = await this.readers.failed(this.owner, list.filter);
      }),
    );
  }
}
