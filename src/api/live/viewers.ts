import type { Credential } from '../auth/credential.js';
import type { StreamSink } from '../stream/handshake.js';
import type { PendingStream } from '../stream/pending-stream.js';
import { ViewerSet, type ViewerSetOptions } from '../stream/viewer-set.js';
import type { DashboardFeed } from './feed.js';
import type { OwnerView } from './owner-view.js';

/** How often viewers are served, in ms. */
export const TICK_MS = 500;

/** What is remembered about each viewer of the feed. */
export interface FeedViewer {
  view: OwnerView;
  /** When something was last sent, in ms of the monotonic clock. */
  sentAt: number;
  /** When the viewer's socket became full, in ms of the monotonic clock; 0 while it takes bytes. */
  stalledAt: number;
  /** How many events were written. */
  events: number;
}

/**
 * Viewers of the dashboard feed in this process: of dashboards, and of overviews. Each is served twice a second, and
 * gets nothing while its socket is full.
 */
export abstract class FeedViewers<V extends FeedViewer> extends ViewerSet<V> {
  constructor(
    protected readonly feed: DashboardFeed,
    options: ViewerSetOptions,
  ) {
    super(options, TICK_MS);
  }

  /**
   * Opens the stream of a viewer of an owner's jobs.
   * @param owner `undefined` for the jobs of all owners
   */
  protected addFeedViewer(
    stream: PendingStream,
    owner: string | undefined,
    credential: Credential | undefined,
    head: string,
    create: (view: OwnerView) => V,
  ): Promise<{ sink: StreamSink; viewer: V } | undefined> {
    // The view is opened after the stream, because workers report as long as there is a view.
    return this.add(stream, credential ? [credential] : [], head, () => create(this.feed.open(owner)));
  }

  protected override prepare(): void {
    this.feed.refresh();
  }

  protected stalledSince({ stalledAt }: V): number | undefined {
    return stalledAt > 0 ? stalledAt : undefined;
  }

  protected eventsOf({ events }: V): number {
    return events;
  }

  protected resume(viewer: V): void {
    viewer.stalledAt = 0;
  }

  protected release(_sink: StreamSink, viewer: V): void {
    this.feed.close(viewer.view);
  }
}
