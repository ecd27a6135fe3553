import { writeTo } from '../../shared/channel/subscription.js';
import type { QueueState } from '../../shared/dashboard/views.js';
import type { JobState } from '../../shared/jobs/states.js';
import type { JobFaults } from '../../shared/lifecycle/job-faults.js';
import { isFinished, type SnapshotReader } from '../../shared/lifecycle/snapshot.js';
import type { Logger } from '../../shared/process/log.js';
import { serverNow } from '../../shared/redis/server-clock.js';
import type { Credential } from '../auth/credential.js';
import type { PageReader } from '../jobs/page.js';
import type { DashboardFeed } from '../live/feed.js';
import { FeedAudience, type FeedViewer } from '../live/viewers.js';
import type { PendingStream } from '../stream/pending-stream.js';
import { ofLive, ofSnapshot, PendingUpdates } from './pending-updates.js';

/** So many jobs at most come twice a second: what a browser can take. */
const JOBS_PER_TICK = 250;
/** So many jobs are followed, of each state the newest. */
const MAX_JOBS = 10_000;
const PAGE = 1000;
/** So many jobs are asked for at once. */
const AT_ONCE = 200;
const QUIET_MS = 10_000;
/** However little has changed, every job is read again after this long. */
const REREAD_MS = 30_000;
const HEARTBEAT = ': \n\n';
/** Where there are too many jobs, those of the first ones are shown. */
const UNFINISHED = ['active', 'waiting-children', 'waiting', 'prioritized', 'delayed'] as const;

/** Whose jobs, and which of them. */
export interface OverviewSubject {
  /** `undefined`: everybody's. */
  owner: string | undefined;
  /** A queue and the kinds of job in it. */
  queue?: { name: string; kinds: string[] } | undefined;
}

interface OverviewViewer extends FeedViewer {
  overview: OverviewSubject;
  roll: PendingUpdates;
  /** The version of the scope that the roll was last compared with. */
  version: number;
  /** The queues as they were then: jobs wait for another reason when those change. */
  queues: QueueState[];
  comparing: boolean;
  /** When all its jobs were read last, ms since 1970. */
  readAllAt: number;
  total: number;
  sentTotal: number;
}

export interface OverviewViewersOptions {
  /** What runs, as the workers tell it in batches, and whose jobs have changed. */
  feed: DashboardFeed;
  readPage: PageReader;
  readJob: SnapshotReader;
  faults: JobFaults;
  stallTimeoutMs: number;
  log: Logger;
}

/**
 * Those who follow many jobs over one connection: all of theirs, or all of a queue. Jobs join and leave while the stream
 * is open. What a viewer gets is conflated twice: by the workers, which tell of all their jobs twice a second, and here,
 * where a viewer gets the newest of each job, so many at a time. So ten thousand jobs make a stream that a browser can take.
 */
export class OverviewViewers extends FeedAudience<OverviewViewer> {
  constructor(private readonly options: OverviewViewersOptions) {
    super(options.feed, options.stallTimeoutMs);
  }

  /** Answers a request with the stream. */
  async answer(stream: PendingStream, overview: OverviewSubject, credential: Credential = {}): Promise<void> {
    const head = `event: reset\ndata: {"reason":"snapshot","at":${serverNow()}}\n\n`;
    const viewer = await this.admit(stream, overview.owner, head, (sink, scope) => ({
      sink,
      overview,
      scope,
      credential,
      roll: new PendingUpdates(),
      version: -1,
      queues: [],
      comparing: false,
      readAllAt: Number.NEGATIVE_INFINITY,
      total: 0,
      sentTotal: -1,
      sentAt: performance.now(),
      stalledAt: 0,
    }));
    if (viewer) void this.compare(viewer).then(() => this.send(viewer));
  }

  protected serve(viewer: OverviewViewer): void {
    void this.compare(viewer);
    this.send(viewer);
  }

  /** Compares what was told with what is, when something has changed. */
  private async compare(viewer: OverviewViewer): Promise<void> {
    const { scope, roll, overview } = viewer;
    const { queues } = this.feed.shared;
    if (viewer.comparing || (viewer.version === scope.version && viewer.queues === queues)) return;
    viewer.comparing = true;
    const { version } = scope;
    try {
      const unfinished = await this.unfinished(overview);
      const live = new Set<string>();
      for (const job of this.running(viewer)) live.add(job.id);
      const readAll = viewer.queues !== queues || performance.now() - viewer.readAllAt > REREAD_MS;
      // The index says in which state each one is: only what has another one than was told has to be read.
      const moved = [...unfinished].filter(
        ([id, state]) => !live.has(id) && (readAll || roll.stateOf(id) !== state),
      );
      const left = [...roll.ids()].filter((id) => !unfinished.has(id) && !live.has(id));
      const unsure = [...moved.map(([id]) => id), ...left];
      for (let i = 0; i < unsure.length; i += AT_ONCE) {
        const ids = unsure.slice(i, i + AT_ONCE);
        const { readJob, faults } = this.options;
        const jobs = await faults.each('show', ids, async (id) => ({ job: await readJob(id) }));
        for (const [n, found] of jobs.entries()) {
          // Nothing can be said of one that was stepped over.
          if (!found) continue;
          const { job } = found;
          if (!job) roll.end({ jobId: ids[n]!, state: 'gone' });
          else if (isFinished(job)) {
            if (roll.has(job.id)) roll.end(ofSnapshot(job));
          } else if (job.state !== 'active' || roll.stateOf(job.id) !== 'active') roll.note(ofSnapshot(job));
        }
      }
      viewer.total = unfinished.size;
      viewer.version = version;
      viewer.queues = queues;
      if (readAll) viewer.readAllAt = performance.now();
    } catch (error) {
      // Redis is away: the next tick looks again.
      this.options.log.debug({ err: error }, 'could not look at the jobs');
    } finally {
      viewer.comparing = false;
    }
  }

  /** Unfinished jobs, each with its state. One that moves meanwhile may be missing: it counts as left then. */
  private async unfinished({ owner, queue }: OverviewSubject): Promise<Map<string, JobState>> {
    const jobs = new Map<string, JobState>();
    for (const state of UNFINISHED) {
      let after: Awaited<ReturnType<PageReader>>['next'];
      do {
        const page = await this.options.readPage({
          owner,
          states: [state],
          names: queue?.kinds ?? [],
          tags: [],
          limit: PAGE,
          after,
        });
        for (const id of page.ids) if (!queue || id.startsWith(`${queue.name}.`)) jobs.set(id, state);
        after = page.next;
      } while (after && jobs.size < MAX_JOBS);
    }
    return jobs;
  }

  private *running({ overview, scope }: OverviewViewer) {
    for (const job of this.feed.running(scope)) {
      if (!overview.queue || job.id.startsWith(`${overview.queue.name}.`)) yield job;
    }
  }

  private send(viewer: OverviewViewer): void {
    if (!this.viewers.has(viewer.sink) || viewer.stalledAt > 0 || viewer.version < 0) return;
    const { roll, sink } = viewer;
    for (const job of this.running(viewer)) {
      if (roll.has(job.id) || roll.size < MAX_JOBS) roll.note(ofLive(job));
    }
    const frames = roll.take(JOBS_PER_TICK).map((json) => `event: job\ndata: ${json}\n\n`);
    if (viewer.total !== viewer.sentTotal) {
      viewer.sentTotal = viewer.total;
      frames.push(`event: jobs\ndata: {"unfinished":${viewer.total},"at":${serverNow()}}\n\n`);
    }
    const now = performance.now();
    if (frames.length === 0 && now - viewer.sentAt > QUIET_MS) frames.push(HEARTBEAT);
    if (frames.length === 0) return;
    viewer.sentAt = now;
    if (!writeTo(sink, Buffer.from(frames.join('')))) viewer.stalledAt = now;
  }
}
