import { writeTo } from '../../shared/channel/subscription.js';
import { serverNow } from '../../shared/redis/server-clock.js';
import type { Principal } from '../auth/principal.js';
import type { StreamSink } from '../stream/handshake.js';
import type { PendingStream } from '../stream/pending-stream.js';
import type { FailedFilter } from './failed-jobs.js';
import type { OwnerView } from './owner-view.js';
import type { DashboardQuery } from './query.js';
import { failedKey, minutesOf, sectionsOf } from './sections.js';
import { type FeedViewer, FeedViewers } from './viewers.js';

/** Maximum time between two frames, in ms. A client that receives none for longer shows that it is disconnected. */
const QUIET_MS = 900;
/** The owner of an unidentified caller. No job has it. */
const NO_OWNER = 'nobody';

interface DashboardViewer extends FeedViewer {
  query: DashboardQuery;
  admin: boolean;
  /** What was last sent of each section, as JSON. */
  sections: Map<string, string>;
  /** What was last sent of each minute, as JSON. */
  minutes: Map<number, string>;
  /** The version key at the last comparison; see {@link DashboardFeed.versionKey}. */
  versionKey: string;
}

/**
 * The viewers of the dashboard in this process. At most twice a second, each gets what has changed since its last frame.
 * A viewer that reads slowly therefore gets fewer frames with newer state, and no frames queue up in memory.
 */
export class DashboardViewers extends FeedViewers<DashboardViewer> {
  readonly kind = 'dashboard';

  /**
   * Answers a request with the stream of a dashboard.
   * @param principal sees its own jobs; an admin sees all jobs; `undefined` sees none
   */
  async answer(
    stream: PendingStream,
    query: DashboardQuery,
    principal: Principal | undefined,
  ): Promise<void> {
    const admin = principal?.admin ?? false;
    const owner = admin ? undefined : (principal?.id ?? NO_OWNER);
    stream.countFor('dashboards');
    const added = await this.addFeedViewer(stream, owner, principal?.credential, '', (view) => ({
      view,
      query,
      admin,
      sections: new Map(),
      minutes: new Map(),
      sentAt: Number.NEGATIVE_INFINITY,
      versionKey: '',
      stalledAt: 0,
      events: 0,
    }));
    if (!added) return;
    const { sink, viewer } = added;
    const { view } = viewer;
    this.requestFailedJobs();
    if (view.version === 0 || view.outdated) await this.feed.read(view);
    if (this.viewers.has(sink)) this.serve(sink, viewer);
  }

  protected override prepare(): void {
    this.requestFailedJobs();
    super.prepare();
  }

  /** Requests, for each view, the lists of failed jobs that its viewers show. */
  private requestFailedJobs(): void {
    const requested = new Map<OwnerView, Map<string, FailedFilter>>();
    for (const { view, query } of this.viewers.values()) {
      const filters = requested.get(view) ?? new Map<string, FailedFilter>();
      requested.set(view, filters.set(failedKey(query), query));
    }
    for (const [view, filters] of requested) view.requestFailedJobs(filters);
  }

  protected serve(sink: StreamSink, viewer: DashboardViewer): void {
    // A view that has not been read yet would show as empty.
    if (viewer.view.version === 0) return;
    const now = performance.now();
    const versionKey = this.feed.versionKey(viewer.view, viewer.admin);
    const changes = versionKey === viewer.versionKey ? [] : this.changesFor(viewer);
    viewer.versionKey = versionKey;
    if (changes.length === 0 && now - viewer.sentAt < QUIET_MS) return;
    viewer.sentAt = now;
    viewer.events++;
    const frame = `event: dashboard\ndata: {${[`"at":${serverNow()}`, ...changes].join(',')}}\n\n`;
    if (!writeTo(sink, Buffer.from(frame))) viewer.stalledAt = now;
  }

  /** The members of the next frame: the sections and minutes that differ from what was last sent. */
  private changesFor({ view, query, admin, sections, minutes }: DashboardViewer): string[] {
    const active = this.feed.active.of(view, query.sort);
    const current = { admin, ...sectionsOf(this.feed.shared, view, active, query, admin) };
    const changes = Object.entries(current).flatMap(([name, section]) => {
      const json = JSON.stringify(section);
      if (sections.get(name) === json) return [];
      sections.set(name, json);
      return [`"${name}":${json}`];
    });
    const changedMinutes = minutesOf(view, query.name).flatMap((minute) => {
      const json = JSON.stringify(minute);
      if (minutes.get(minute.minute) === json) return [];
      minutes.set(minute.minute, json);
      return [json];
    });
    for (const minute of minutes.keys()) if (!view.minutes.has(minute)) minutes.delete(minute);
    return changedMinutes.length > 0 ? [...changes, `"minutes":[${changedMinutes.join(',')}]`] : changes;
  }
}
