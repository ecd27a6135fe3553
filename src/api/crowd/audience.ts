import type { Request, Response } from 'express';
import { HeadwayError } from '../../shared/errors.js';
import type { PageReader } from '../../shared/job-index/page.js';
import { isFinished, type SnapshotReader } from '../../shared/lifecycle/snapshot.js';
import type { Logger } from '../../shared/log.js';
import type { Credential } from '../auth/credential.js';
import type { Revoked } from '../auth/revocations.js';
import type { DashboardFeed } from '../dashboard/feed.js';
import type { Scope } from '../dashboard/scope.js';
import { openStream, type SinkEvents, type StreamSink } from '../stream/handshake.js';
import { EXPIRED, REVOKED } from '../stream/unauthorized.js';
import { ofLive, ofSnapshot, Roll } from './roll.js';

/** A frame in this many ms at most, with so many jobs at most: what a browser can take. */
const TICK_MS = 500;
const JOBS_PER_TICK = 250;
/** So many jobs are followed: the newest. */
const MAX_JOBS = 10_000;
const PAGE = 1000;
/** So many jobs are asked for at once. */
const AT_ONCE = 200;
const QUIET_MS = 10_000;
const HEARTBEAT = ': \n\n';
const UNFINISHED = ['waiting', 'delayed', 'prioritized', 'waiting-children', 'active'] as const;

/** Whose jobs, and which of them. */
export interface Crowd {
  /** `undefined`: everybody's. */
  owner: string | undefined;
  /** A queue and the kinds of job in it. */
  queue?: { name: string; kinds: string[] } | undefined;
}

interface CrowdViewer {
  sink: StreamSink;
  crowd: Crowd;
  scope: Scope;
  credential: Credential;
  roll: Roll;
  /** The version of the scope that the roll was last compared with. */
  version: number;
  comparing: boolean;
  total: number;
  toldTotal: number;
  sentAt: number;
  /** Since when its socket is full, ms since 1970; 0: it is not. */
  stalledAt: number;
}

export interface CrowdAudienceOptions {
  /** What runs, as the workers tell it in batches, and whose jobs have changed. */
  feed: DashboardFeed;
  readPage: PageReader;
  readJob: SnapshotReader;
  stallTimeoutMs: number;
  log: Logger;
}

/**
 * Those who follow many jobs over one connection: all of theirs, or all of a queue. Jobs join and leave while the stream
 * is open. What a viewer gets is conflated twice: by the workers, which tell of all their jobs twice a second, and here,
 * where a viewer gets the newest of each job, so many at a time. So ten thousand jobs make a stream that a browser can take.
 */
export class CrowdAudience {
  private readonly viewers = new Map<StreamSink, CrowdViewer>();
  private timer: NodeJS.Timeout | undefined;
  private closed = false;
  private readonly events: SinkEvents = {
    onDrain: (sink) => {
      const viewer = this.viewers.get(sink);
      if (viewer) viewer.stalledAt = 0;
    },
    onClose: (sink) => this.leave(sink),
  };

  constructor(private readonly options: CrowdAudienceOptions) {}

  get count(): number {
    return this.viewers.size;
  }

  /**
   * Answers a request with the stream. The request and its response are not to be used afterwards.
   * @throws HeadwayError `unavailable` once it was closed
   */
  answer(req: Request, res: Response, crowd: Crowd, credential: Credential = {}): void {
    if (this.closed) throw new HeadwayError('unavailable', 'This process is stopping.');
    const scope = this.options.feed.open(crowd.owner);
    const head = `retry: 2000\n\nevent: reset\ndata: {"reason":"snapshot","at":${Date.now()}}\n\n`;
    const sink = openStream(req, res, head, this.events);
    if (sink.destroyed) return this.options.feed.close(scope);
    const viewer: CrowdViewer = {
      sink,
      crowd,
      scope,
      credential,
      roll: new Roll(),
      version: -1,
      comparing: false,
      total: 0,
      toldTotal: -1,
      sentAt: Date.now(),
      stalledAt: 0,
    };
    this.viewers.set(sink, viewer);
    this.timer ??= setInterval(() => this.tick(), TICK_MS);
    void this.compare(viewer).then(() => this.send(viewer));
  }

  /** Looks again whether those that are here may stay, as `Viewers` does. */
  async recheck(isRevoked: (credential: Credential) => Promise<boolean>, revoked?: Revoked): Promise<void> {
    for (const { sink, credential } of [...this.viewers.values()]) {
      if (revoked && credential[revoked.field] !== revoked.name) continue;
      if (await isRevoked(credential)) this.dismiss(sink, REVOKED);
    }
  }

  /** Ends every stream; the viewers reconnect, to another process. */
  close(): void {
    this.closed = true;
    for (const sink of [...this.viewers.keys()]) {
      this.leave(sink);
      sink.end();
    }
  }

  private dismiss(sink: StreamSink, last: Buffer): void {
    if (!this.viewers.has(sink)) return;
    this.leave(sink);
    sink.write(last);
    sink.end();
  }

  private leave(sink: StreamSink): void {
    const viewer = this.viewers.get(sink);
    if (!viewer) return;
    this.viewers.delete(sink);
    this.options.feed.close(viewer.scope);
    if (this.viewers.size > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private tick(): void {
    const now = Date.now();
    this.options.feed.refresh();
    for (const viewer of [...this.viewers.values()]) {
      const { sink, stalledAt, credential } = viewer;
      if (stalledAt > 0) {
        if (now - stalledAt > this.options.stallTimeoutMs) sink.destroy();
      } else if (credential.expiresAt !== undefined && credential.expiresAt <= now) {
        this.dismiss(sink, EXPIRED);
      } else {
        void this.compare(viewer);
        this.send(viewer);
      }
    }
  }

  /** Compares what was told with what is, when something has changed. */
  private async compare(viewer: CrowdViewer): Promise<void> {
    const { scope, roll, crowd } = viewer;
    if (viewer.comparing || viewer.version === scope.version) return;
    viewer.comparing = true;
    const { version } = scope;
    try {
      const unfinished = await this.unfinished(crowd);
      const live = new Set<string>();
      for (const job of this.running(viewer)) live.add(job.id);
      const unknown = unfinished.filter((id) => !live.has(id));
      const listed = new Set(unfinished);
      const left = [...roll.ids()].filter((id) => !listed.has(id) && !live.has(id));
      for (let i = 0; i < unknown.length + left.length; i += AT_ONCE) {
        const ids = [...unknown, ...left].slice(i, i + AT_ONCE);
        const jobs = await Promise.all(ids.map((id) => this.options.readJob(id)));
        for (const [n, job] of jobs.entries()) {
          if (!job) roll.end({ jobId: ids[n]!, state: 'gone' });
          else if (isFinished(job)) {
            if (roll.has(job.id)) roll.end(ofSnapshot(job));
          } else if (job.state !== 'active' || !roll.has(job.id)) roll.note(ofSnapshot(job));
        }
      }
      viewer.total = unfinished.length;
      viewer.version = version;
    } catch (error) {
      // Redis is away: the next tick looks again.
      this.options.log.debug({ err: error }, 'could not look at the jobs');
    } finally {
      viewer.comparing = false;
    }
  }

  private async unfinished({ owner, queue }: Crowd): Promise<string[]> {
    const ids: string[] = [];
    let after: Awaited<ReturnType<PageReader>>['next'];
    do {
      const page = await this.options.readPage({
        owner,
        states: [...UNFINISHED],
        names: queue?.kinds ?? [],
        tags: [],
        limit: PAGE,
        after,
      });
      ids.push(...page.ids);
      after = page.next;
    } while (after && ids.length < MAX_JOBS);
    return queue ? ids.filter((id) => id.startsWith(`${queue.name}.`)) : ids;
  }

  private *running({ crowd, scope }: CrowdViewer) {
    for (const job of this.options.feed.running(scope)) {
      if (!crowd.queue || job.id.startsWith(`${crowd.queue.name}.`)) yield job;
    }
  }

  private send(viewer: CrowdViewer): void {
    if (!this.viewers.has(viewer.sink) || viewer.stalledAt > 0 || viewer.version < 0) return;
    const { roll, sink } = viewer;
    for (const job of this.running(viewer)) {
      if (roll.has(job.id) || roll.size < MAX_JOBS) roll.note(ofLive(job));
    }
    const frames = roll.take(JOBS_PER_TICK).map((json) => `event: job\ndata: ${json}\n\n`);
    const now = Date.now();
    if (viewer.total !== viewer.toldTotal) {
      viewer.toldTotal = viewer.total;
      frames.push(`event: jobs\ndata: {"unfinished":${viewer.total},"at":${now}}\n\n`);
    }
    if (frames.length === 0 && now - viewer.sentAt > QUIET_MS) frames.push(HEARTBEAT);
    if (frames.length === 0) return;
    viewer.sentAt = now;
    if (!sink.write(Buffer.from(frames.join('')))) viewer.stalledAt = now;
  }
}
