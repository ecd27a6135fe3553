import { serverNow } from '../../shared/redis/server-clock.js';
import type { Credential } from '../auth/credential.js';
import type { Audience } from '../auth/revocation-watch.js';
import type { Revoked } from '../auth/revocations.js';
import { endStream, type SinkEvents, type StreamSink } from '../stream/handshake.js';
import type { PendingStream } from '../stream/pending-stream.js';
import { EXPIRED, REVOKED } from '../stream/unauthorized.js';
import type { DashboardFeed } from './feed.js';
import type { Scope } from './scope.js';

/** A frame in this many ms at most. */
const TICK_MS = 500;

/** What is known of each viewer of the feed, whatever it is shown of it. */
export interface FeedViewer {
  sink: StreamSink;
  scope: Scope;
  /** What its permission rests on. */
  credential: Credential;
  /** When it was last sent something, in ms of the monotonic clock. */
  sentAt: number;
  /** Since when its socket is full, in ms of the monotonic clock; 0: it is not. */
  stalledAt: number;
}

/**
 * Those who are shown something of the feed in this process, twice a second at most. One whose socket is full is sent
 * nothing until it takes bytes again, and is dropped after a while; one whose permission ends is told so.
 */
export abstract class FeedAudience<V extends FeedViewer> implements Audience {
  protected readonly viewers = new Map<StreamSink, V>();
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
    protected readonly feed: DashboardFeed,
    /** A viewer that took nothing for this long is dropped, in ms. */
    private readonly stallTimeoutMs: number,
  ) {}

  /** Sends a viewer what there is for it. */
  protected abstract serve(viewer: V): void;

  /** Called before each look at the feed. */
  protected prepare(): void {}

  get count(): number {
    return this.viewers.size;
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
      endStream(sink);
    }
  }

  /**
   * Opens a stream for a viewer of an owner's jobs (`undefined`: of everybody's).
   * @param head first bytes of the body, after the reconnection time
   * @param make gives what is known of it
   * @returns `undefined` for one that has gone already
   */
  protected async admit(
    stream: PendingStream,
    owner: string | undefined,
    head: string,
    make: (sink: StreamSink, scope: Scope) => V,
  ): Promise<V | undefined> {
    if (this.closed) {
      stream.comeBack();
      return undefined;
    }
    const sink = await stream.open(this.events, head);
    if (!sink) return undefined;
    if (this.closed) {
      endStream(sink);
      return undefined;
    }
    // Not before the stream is open: workers report for as long as there is a viewer.
    const viewer = make(sink, this.feed.open(owner));
    this.viewers.set(sink, viewer);
    this.timer ??= setInterval(() => this.tick(), TICK_MS);
    return viewer;
  }

  private dismiss(sink: StreamSink, last: Buffer): void {
    if (!this.viewers.has(sink)) return;
    this.leave(sink);
    sink.write(last);
    endStream(sink);
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
    const now = performance.now();
    this.prepare();
    this.feed.refresh();
    for (const viewer of [...this.viewers.values()]) {
      const { sink, stalledAt, credential } = viewer;
      if (stalledAt > 0) {
        if (now - stalledAt > this.stallTimeoutMs) sink.destroy();
      } else if (credential.expiresAt !== undefined && credential.expiresAt <= serverNow()) {
        this.dismiss(sink, EXPIRED);
      } else this.serve(viewer);
    }
  }
}
