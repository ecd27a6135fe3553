import type { Request, Response } from 'express';
import { HeadwayError } from '../../shared/errors.js';
import type { Credential } from '../auth/credential.js';
import type { Principal } from '../auth/principal.js';
import type { Revoked } from '../auth/revocations.js';
import { openStream, type SinkEvents, type StreamSink } from '../stream/handshake.js';
import { EXPIRED, REVOKED } from '../stream/unauthorized.js';
import type { FailedFilter } from './failed-jobs.js';
import type { DashboardFeed } from './feed.js';
import type { DashboardQuery } from './query.js';
import type { Scope } from './scope.js';
import { failedKey, minutesOf, sectionsOf } from './sections.js';

/** A frame in this many ms at most. */
const TICK_MS = 500;
/** At least one in this many, also when nothing has changed: whoever hears nothing for longer knows that it is not live. */
const QUIET_MS = 2000;

interface DashboardViewer {
  sink: StreamSink;
  scope: Scope;
  query: DashboardQuery;
  admin: boolean;
  /** What its permission rests on. */
  credential: Credential;
  /** What it was sent last: section -> JSON, minute -> JSON. */
  sections: Map<string, string>;
  minutes: Map<number, string>;
  sentAt: number;
  /** What there was when it was last looked at what it may be sent. */
  stamp: string;
  /** Since when its socket is full, ms since 1970; 0: it is not. */
  stalledAt: number;
}

/**
 * Those who look at a dashboard in this process. Each gets, twice a second at most, what differs from what it was sent
 * last: so whoever reads slowly gets fewer frames, of what is then, and nothing waits for it in memory.
 */
export class DashboardAudience {
  private readonly viewers = new Map<StreamSink, DashboardViewer>();
  private timer: NodeJS.Timeout | undefined;
  private closed = false;
  private readonly events: SinkEvents = {
    onDrain: (sink) => {
      const viewer = this.viewers.get(sink);
      if (viewer) viewer.stalledAt = 0;
    },
    onClose: (sink) => this.leave(sink),
  };

  constructor(
    private readonly feed: DashboardFeed,
    private readonly stallTimeoutMs: number,
  ) {}

  get count(): number {
    return this.viewers.size;
  }

  /**
   * Answers a request with the stream of a dashboard. The request and its response are not to be used afterwards.
   * @param principal sees the jobs that are its own, an admin all; `undefined` sees none
   * @throws HeadwayError `unavailable` once it was closed
   */
  async answer(
    req: Request,
    res: Response,
    query: DashboardQuery,
    principal: Principal | undefined,
  ): Promise<void> {
    if (this.closed) throw new HeadwayError('unavailable', 'This process is stopping.');
    const admin = principal?.admin ?? false;
    // Nobody's name: nothing is known of this caller, so there is nothing that could be its own.
    const scope = this.feed.open(admin ? undefined : (principal?.id ?? 'nobody'));
    const sink = openStream(req, res, 'retry: 2000\n\n', this.events);
    if (sink.destroyed) return this.feed.close(scope);
    const viewer: DashboardViewer = {
      sink,
      scope,
      query,
      admin,
      credential: principal?.credential ?? {},
      sections: new Map(),
      minutes: new Map(),
      sentAt: 0,
      stamp: '',
      stalledAt: 0,
    };
    this.viewers.set(sink, viewer);
    this.timer ??= setInterval(() => this.tick(), TICK_MS);
    this.wantFailed();
    if (scope.version === 0 || scope.dirty) await this.feed.lookAt(scope);
    if (this.viewers.has(sink)) this.send(viewer, Date.now());
  }

  /** Ends every stream; the viewers reconnect, to another process. */
  close(): void {
    this.closed = true;
    for (const sink of [...this.viewers.keys()]) {
      this.leave(sink);
      sink.end();
    }
  }

  /** Looks again whether those that are here may stay, as `Viewers` does. */
  async recheck(isRevoked: (credential: Credential) => Promise<boolean>, revoked?: Revoked): Promise<void> {
    for (const { sink, credential } of [...this.viewers.values()]) {
      if (revoked && credential[revoked.field] !== revoked.name) continue;
      if (await isRevoked(credential)) this.dismiss(sink, REVOKED);
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
    this.feed.close(viewer.scope);
    if (this.viewers.size > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private tick(): void {
    const now = Date.now();
    this.wantFailed();
    this.feed.refresh();
    for (const viewer of [...this.viewers.values()]) {
      const { sink, stalledAt, credential } = viewer;
      if (stalledAt > 0) {
        if (now - stalledAt > this.stallTimeoutMs) sink.destroy();
      } else if (credential.expiresAt !== undefined && credential.expiresAt <= now) {
        this.dismiss(sink, EXPIRED);
      } else this.send(viewer, now);
    }
  }

  /** Says which lists of failed jobs are looked at. */
  private wantFailed(): void {
    const wanted = new Map<Scope, Map<string, FailedFilter>>();
    for (const { scope, query } of this.viewers.values()) {
      const filters = wanted.get(scope) ?? new Map<string, FailedFilter>();
      wanted.set(scope, filters.set(failedKey(query), query));
    }
    for (const [scope, filters] of wanted) scope.wantFailed(filters);
  }

  private send(viewer: DashboardViewer, now: number): void {
    // What was never looked at would show as nothing.
    if (viewer.scope.version === 0) return;
    const stamp = this.feed.stamp(viewer.scope, viewer.admin);
    const changed = stamp === viewer.stamp ? [] : this.changes(viewer);
    viewer.stamp = stamp;
    if (changed.length === 0 && now - viewer.sentAt < QUIET_MS) return;
    viewer.sentAt = now;
    const frame = `event: dashboard\ndata: {${[`"at":${now}`, ...changed].join(',')}}\n\n`;
    if (!viewer.sink.write(Buffer.from(frame))) viewer.stalledAt = now;
  }

  /** The members of the next frame: the sections and the minutes that differ from what was sent. */
  private changes({ scope, query, admin, sections, minutes }: DashboardViewer): string[] {
    const active = this.feed.active.of(scope, query.sort);
    const now = { admin, ...sectionsOf(this.feed.shared, scope, active, query, admin) };
    const changed = Object.entries(now).flatMap(([name, section]) => {
      const json = JSON.stringify(section);
      if (sections.get(name) === json) return [];
      sections.set(name, json);
      return [`"${name}":${json}`];
    });
    const moved = minutesOf(scope, query.name).flatMap((view) => {
      const json = JSON.stringify(view);
      if (minutes.get(view.minute) === json) return [];
      minutes.set(view.minute, json);
      return [json];
    });
    for (const minute of minutes.keys()) if (!scope.minutes.has(minute)) minutes.delete(minute);
    return moved.length > 0 ? [...changed, `"minutes":[${moved.join(',')}]`] : changed;
  }
}
