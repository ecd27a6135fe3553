import { writeTo } from '../../shared/channel/subscription.js';
import { serverNow } from '../../shared/redis/server-clock.js';
import type { Principal } from '../auth/principal.js';
import type { PendingStream } from '../stream/pending-stream.js';
import type { FailedFilter } from './failed-jobs.js';
import type { DashboardQuery } from './query.js';
import type { Scope } from './scope.js';
import { failedKey, minutesOf, sectionsOf } from './sections.js';
import { FeedAudience, type FeedViewer } from './viewers.js';

/** At least one in this many, also when nothing has changed: whoever hears nothing for longer knows that it is not live. */
const QUIET_MS = 900;

interface DashboardViewer extends FeedViewer {
  query: DashboardQuery;
  admin: boolean;
  /** What it was sent last: section -> JSON, minute -> JSON. */
  sections: Map<string, string>;
  minutes: Map<number, string>;
  /** What there was when it was last looked at what it may be sent. */
  stamp: string;
}

/**
 * Those who look at a dashboard in this process. Each gets, twice a second at most, what differs from what it was sent
 * last: so whoever reads slowly gets fewer frames, of what is then, and nothing waits for it in memory.
 */
export class DashboardAudience extends FeedAudience<DashboardViewer> {
  /**
   * Answers a request with the stream of a dashboard.
   * @param principal sees the jobs that are its own, an admin all; `undefined` sees none
   */
  async answer(
    stream: PendingStream,
    query: DashboardQuery,
    principal: Principal | undefined,
  ): Promise<void> {
    const admin = principal?.admin ?? false;
    // Nobody's name: nothing is known of this caller, so there is nothing that could be its own.
    const owner = admin ? undefined : (principal?.id ?? 'nobody');
    const viewer = await this.admit(stream, owner, '', (sink, scope) => ({
      sink,
      scope,
      query,
      admin,
      credential: principal?.credential ?? {},
      sections: new Map(),
      minutes: new Map(),
      sentAt: Number.NEGATIVE_INFINITY,
      stamp: '',
      stalledAt: 0,
    }));
    if (!viewer) return;
    const { sink, scope } = viewer;
    this.prepare();
    if (scope.version === 0 || scope.dirty) await this.feed.lookAt(scope);
    if (this.viewers.has(sink)) this.serve(viewer);
  }

  /** Says which lists of failed jobs are looked at. */
  protected override prepare(): void {
    const wanted = new Map<Scope, Map<string, FailedFilter>>();
    for (const { scope, query } of this.viewers.values()) {
      const filters = wanted.get(scope) ?? new Map<string, FailedFilter>();
      wanted.set(scope, filters.set(failedKey(query), query));
    }
    for (const [scope, filters] of wanted) scope.wantFailed(filters);
  }

  protected serve(viewer: DashboardViewer): void {
    // What was never looked at would show as nothing.
    if (viewer.scope.version === 0) return;
    const now = performance.now();
    const stamp = this.feed.stamp(viewer.scope, viewer.admin);
    const changed = stamp === viewer.stamp ? [] : this.changes(viewer);
    viewer.stamp = stamp;
    if (changed.length === 0 && now - viewer.sentAt < QUIET_MS) return;
    viewer.sentAt = now;
    const frame = `event: dashboard\ndata: {${[`"at":${serverNow()}`, ...changed].join(',')}}\n\n`;
    if (!writeTo(viewer.sink, Buffer.from(frame))) viewer.stalledAt = now;
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
