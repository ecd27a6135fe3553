import { writeTo } from '../../shared/channel/subscription.js';
import type { QueueState } from '../../shared/dashboard/views.js';
import type { JobState } from '../../shared/jobs/states.js';
import type { JobFaults } from '../../shared/lifecycle/job-faults.js';
import { isFinished, type SnapshotReader } from '../../shared/lifecycle/snapshot.js';
import { serverNow } from '../../shared/redis/server-clock.js';
import { queueNameOf } from '../../shared/shards.js';
import type { Credential } from '../auth/credential.js';
import type { PageReader } from '../jobs/page.js';
import type { DashboardFeed } from '../live/feed.js';
import type { LiveJob } from '../live/live-jobs.js';
import { type FeedViewer, FeedViewers, TICK_MS } from '../live/viewers.js';
import { WAITING } from '../stream/frames.js';
import type { StreamSink } from '../stream/handshake.js';
import type { PendingStream } from '../stream/pending-stream.js';
import type { ViewerSetOptions } from '../stream/viewer-set.js';
import { ofLive, ofSnapshot, PendingUpdates } from './pending-updates.js';

/** Maximum number of `job` events per tick and viewer: as many as a browser can handle. There are two ticks a second. */
const JOBS_PER_TICK = 250;
/** Maximum number of jobs that an overview shows. The newest jobs of each state are shown. */
const MAX_JOBS = 10_000;
/** Number of jobs in a page of the index. */
const PAGE = 1000;
/** Maximum number of jobs that are read at once. */
const AT_ONCE = 200;
/** A viewer that has received nothing for this long gets a heartbeat, in ms. */
const QUIET_MS = 3500;
/** Announces the next one, so that a viewer notices a silent connection within five seconds. */
const HEARTBEAT = `: next ${QUIET_MS + TICK_MS}\n\n`;
/** How often every job is read again although its state has not changed, in ms. */
const REREAD_MS = 30_000;
/** The states that are shown. Where there are too many jobs, the first states have precedence. */
const UNFINISHED = ['active', 'waiting-children', 'waiting', 'prioritized', 'delayed'] as const;

/** The jobs that an overview shows. */
export interface OverviewSubject {
  /** `undefined` for the jobs of all owners. */
  owner: string | undefined;
  /** Only the jobs of this queue, and the kinds of job in it. */
  queue?: { name: string; kinds: string[] } | undefined;
}

/** Whether a job is in a queue, in any shard. */
const isIn = (queue: string, jobId: string): boolean =>
  jobId.startsWith(`${queue}.`) ||
  (jobId.startsWith(`${queue}~s`) && queueNameOf(jobId.split('.', 1)[0] ?? '') === queue);

interface OverviewViewer extends FeedViewer {
  overview: OverviewSubject;
  updates: PendingUpdates;
  /** The version of the view that the updates were last compared with. */
  version: number;
  /** The queues at the last comparison. When they change, jobs may wait for another reason. */
  queues: QueueState[];
  /** A comparison is in progress. */
  comparing: boolean;
  /** When all jobs were last read, in ms of the monotonic clock. */
  readAllAt: number;
  /** How many jobs have not ended, and the number that was last sent. */
  total: number;
  sentTotal: number;
  /** Whether it was told that Redis does not answer. */
  isWaiting: boolean;
}

export interface OverviewViewersOptions extends ViewerSetOptions {
  /** The running jobs as workers report them, and a notice when the jobs of an owner change. */
  feed: DashboardFeed;
  readPage: PageReader;
  readJob: SnapshotReader;
  faults: JobFaults;
}

/**
 * Viewers that follow many jobs over one connection: all jobs of an owner, or all of a queue. Jobs join and leave while
 * the stream is open. Updates are conflated twice: workers report all their jobs together twice a second, and a viewer
 * gets only the newest update of each job, a limited number at a time. A browser can therefore handle the stream of ten
 * thousand jobs.
 */
export class OverviewViewers extends FeedViewers<OverviewViewer> {
  readonly kind = 'overview';

  constructor(private readonly options: OverviewViewersOptions) {
    super(options.feed, options);
  }

  /** Answers a request with the stream of an overview. */
  async answer(stream: PendingStream, overview: OverviewSubject, credential?: Credential): Promise<void> {
    const head = `${HEARTBEAT}event: reset\ndata: {"reason":"snapshot","at":${serverNow()}}\n\n`;
    stream.countFor('dashboards');
    const added = await this.addFeedViewer(stream, overview.owner, credential, head, (view) => ({
      overview,
      view,
      updates: new PendingUpdates(),
      version: -1,
      queues: [],
      comparing: false,
      readAllAt: Number.NEGATIVE_INFINITY,
      total: 0,
      sentTotal: -1,
      isWaiting: false,
      sentAt: performance.now(),
      stalledAt: 0,
      // The one in `head`.
      events: 1,
    }));
    if (!added) return;
    const { sink, viewer } = added;
    void this.compare(viewer).then(() => this.send(sink, viewer));
  }

  protected serve(sink: StreamSink, viewer: OverviewViewer): void {
    void this.compare(viewer);
    this.send(sink, viewer);
  }

  /** Records updates for the jobs whose state differs from what was last recorded, if anything has changed. */
  private async compare(viewer: OverviewViewer): Promise<void> {
    const { view, updates, overview } = viewer;
    const { queues } = this.feed.shared;
    if (viewer.comparing || (viewer.version === view.version && viewer.queues === queues)) return;
    viewer.comparing = true;
    const { version } = view;
    try {
      const unfinished = await this.readUnfinished(overview);
      const live = new Set<string>();
      for (const job of this.running(viewer)) live.add(job.id);
      const readAll = viewer.queues !== queues || performance.now() - viewer.readAllAt > REREAD_MS;
      // The index has the state of each job: only jobs in a state other than the recorded one have to be read.
      const moved = [...unfinished].filter(
        ([id, state]) => !live.has(id) && (readAll || updates.stateOf(id) !== state),
      );
      const left = [...updates.ids()].filter((id) => !unfinished.has(id) && !live.has(id));
      const unsure = [...moved.map(([id]) => id), ...left];
      for (let i = 0; i < unsure.length; i += AT_ONCE) {
        await this.readJobs(unsure.slice(i, i + AT_ONCE), updates);
      }
      viewer.total = unfinished.size;
      viewer.version = version;
      viewer.queues = queues;
      if (readAll) viewer.readAllAt = performance.now();
    } catch (error) {
      // Redis does not answer: the next tick compares again.
      this.options.log.debug({ err: error }, 'could not compare an overview with the jobs');
    } finally {
      viewer.comparing = false;
    }
  }

  private async readJobs(ids: string[], updates: PendingUpdates): Promise<void> {
    const { readJob, faults } = this.options;
    const jobs = await faults.each('show', ids, async (id) => ({ id, job: await readJob(id) }));
    for (const found of jobs) {
      // The state of a job that could not be read is unknown.
      if (!found) continue;
      const { id, job } = found;
      if (!job) updates.end({ jobId: id, state: 'gone' });
      else if (isFinished(job)) {
        if (updates.has(job.id)) updates.end(ofSnapshot(job));
      } else if (job.state !== 'active' || updates.stateOf(job.id) !== 'active') {
        updates.record(ofSnapshot(job));
      }
    }
  }

  /** The states of unfinished jobs, by id. A job that changes its state meanwhile may be missing: it is then read. */
  private async readUnfinished({ owner, queue }: OverviewSubject): Promise<Map<string, JobState>> {
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
        for (const id of page.ids) if (!queue || isIn(queue.name, id)) jobs.set(id, state);
        after = page.next;
      } while (after && jobs.size < MAX_JOBS);
    }
    return jobs;
  }

  private *running({ overview, view }: OverviewViewer): Generator<LiveJob> {
    for (const job of this.feed.running(view)) {
      if (!overview.queue || isIn(overview.queue.name, job.id)) yield job;
    }
  }

  private send(sink: StreamSink, viewer: OverviewViewer): void {
    if (!this.viewers.has(sink) || viewer.stalledAt > 0) return;
    // The first comparison takes a while if there are many jobs.
    const frames = viewer.version < 0 ? [] : this.takeFrames(viewer);
    const now = performance.now();
    const { isAway } = this.feed;
    const isNews = frames.length > 0 || viewer.isWaiting !== isAway;
    if (!isNews && now - viewer.sentAt <= QUIET_MS) return;
    viewer.sentAt = now;
    viewer.isWaiting = isAway;
    viewer.events += frames.length;
    frames.push(isAway ? WAITING.toString() : HEARTBEAT);
    if (!writeTo(sink, Buffer.from(frames.join('')))) viewer.stalledAt = now;
  }

  /** Removes the frames that a viewer gets at this tick from its pending updates. */
  private takeFrames(viewer: OverviewViewer): string[] {
    const { updates } = viewer;
    for (const job of this.running(viewer)) {
      if (updates.has(job.id) || updates.size < MAX_JOBS) updates.record(ofLive(job));
    }
    const frames = updates.take(JOBS_PER_TICK).map((json) => `event: job\ndata: ${json}\n\n`);
    if (viewer.total !== viewer.sentTotal) {
      viewer.sentTotal = viewer.total;
      frames.push(`event: jobs\ndata: {"unfinished":${viewer.total},"at":${serverNow()}}\n\n`);
    }
    return frames;
  }
}
