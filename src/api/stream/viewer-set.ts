import { writeTo } from '../../shared/channel/subscription.js';
import { streamConnects, streamReconnects, streamStalls } from '../../shared/metrics/stream-metrics.js';
import type { Logger } from '../../shared/process/log.js';
import { serverNow } from '../../shared/redis/server-clock.js';
import type { Credential } from '../auth/credential.js';
import type { RevocableStreams } from '../auth/revocation-watch.js';
import type { Revoked } from '../auth/revocations.js';
import { EXPIRED, REVOKED } from './frames.js';
import { endStream, noteEnd, noteEvents, type SinkEvents, type StreamSink } from './handshake.js';
import type { PendingStream } from './pending-stream.js';
import { dismissStream, endInWaves, leavingRetryMs, type Waves } from './waves.js';

/** Maximum number of viewers that are checked at once for revoked credentials. */
const AT_ONCE = 500;
/** A tick is divided into steps of about this length, in ms. Thousands of writes at once would delay every request. */
const STEP_MS = 50;

export interface ViewerSetOptions {
  isRevoked: (credential: Credential) => Promise<boolean>;
  /** A viewer whose socket has taken nothing for this long is disconnected, in ms. */
  stallTimeoutMs: number;
  log: Logger;
}

/**
 * The open streams of one kind in this process. Does what every kind needs: ends a stream when the viewer's permission
 * expires or is revoked, disconnects viewers that do not read, and closes all streams when the process stops. One timer
 * serves all viewers, an equal part of them at each step of a tick. It runs only while there are any.
 * @typeParam V what the kind remembers about a viewer
 */
export abstract class ViewerSet<V> implements RevocableStreams {
  protected readonly viewers = new Map<StreamSink, V>();
  /** The credentials of each viewer. Viewers without credentials are not in the map. */
  private readonly credentials = new Map<StreamSink, Credential[]>();
  /** When a revocation was last announced, or may have been missed, in ms of the monotonic clock. */
  private announcedAt = Number.POSITIVE_INFINITY;
  private timer: NodeJS.Timeout | undefined;
  /** The number of steps in a tick, and how many are left of the current one. */
  private readonly steps: number;
  private stepsLeft = 0;
  /** The viewers that the current tick has not served yet. */
  private unserved: Iterator<[StreamSink, V]> = [][Symbol.iterator]();
  /** How the viewers are disconnected, once the process stops. */
  protected leaving: Waves | undefined;
  private readonly events: SinkEvents = {
    onDrain: (sink) => {
      const viewer = this.viewers.get(sink);
      if (viewer) this.resume(viewer);
    },
    onClose: (sink) => this.remove(sink),
  };

  /** The kind of these streams, a label of their metrics. */
  abstract readonly kind: 'channel' | 'overview' | 'dashboard';

  /** @param tickMs how often each viewer is served */
  constructor(
    private readonly base: ViewerSetOptions,
    private readonly tickMs: number,
  ) {
    this.steps = Math.max(1, Math.round(tickMs / STEP_MS));
  }

  /** Sends a viewer what is due. Called at each tick, unless the viewer's socket is full. */
  protected abstract serve(sink: StreamSink, viewer: V): void;

  /** When the viewer's socket became full, in ms of the monotonic clock; `undefined` while it takes bytes. */
  protected abstract stalledSince(viewer: V): number | undefined;

  /** Called when the viewer's socket takes bytes again. */
  protected abstract resume(viewer: V): void;

  /** How many events were written to a viewer. */
  protected abstract eventsOf(viewer: V): number;

  /** Releases the resources of a viewer that has left. */
  protected abstract release(sink: StreamSink, viewer: V): void;

  /** Called at each tick, before the viewers are served. */
  protected prepare(): void {}

  /** How many streams are open. */
  get count(): number {
    return this.viewers.size;
  }

  /**
   * Opens the stream of an admitted viewer.
   * @param credentials the basis of the viewer's permission: the stream ends when one of them expires or is revoked
   * @param head the first bytes of the body, after the reconnection time
   * @param create called when the stream is open
   * @returns `undefined` when no stream was opened, because the viewer has gone, asked with HEAD, or the process stops
   */
  protected async add(
    stream: PendingStream,
    credentials: Credential[],
    head: string,
    create: (sink: StreamSink) => V,
  ): Promise<{ sink: StreamSink; viewer: V } | undefined> {
    if (this.leaving) {
      stream.comeBack(leavingRetryMs(this.leaving));
      return undefined;
    }
    const sink = await stream.open(this.events, head);
    if (!sink) return undefined;
    if (this.leaving) {
      dismissStream(sink, this.leaving);
      return undefined;
    }
    const viewer = create(sink);
    this.viewers.set(sink, viewer);
    streamConnects.at(this.kind).value++;
    if (stream.lastEventId !== undefined) streamReconnects.at(this.kind).value++;
    this.timer ??= setInterval(() => this.step(), this.tickMs / this.steps).unref();
    if (credentials.length > 0) {
      this.credentials.set(sink, credentials);
      // A revocation that was announced after the check of the credential was not announced to this viewer.
      if (credentials.some(({ checkedAt = 0 }) => checkedAt <= this.announcedAt)) {
        this.dismissIfRevoked(sink, credentials).catch((error) =>
          // When Redis is back, all viewers are checked again.
          this.base.log.debug({ err: error }, 'could not check whether a credential was revoked'),
        );
      }
    }
    return { sink, viewer };
  }

  /**
   * Ends every stream in its wave, and each one that is opened later at once. The viewers reconnect, to another process. Until
   * its wave, a stream goes on. Resolves when all have been ended.
   */
  close(waves: Waves): Promise<void> {
    this.leaving = waves;
    return endInWaves([...this.viewers.keys()], waves, (sink) => {
      this.remove(sink);
      noteEnd(sink, 'stopping');
    });
  }

  /**
   * Ends the streams of viewers whose credentials have been revoked.
   * @param revoked checks only the viewers with this credential; all viewers by default
   */
  async recheck(revoked?: Revoked): Promise<void> {
    this.announcedAt = performance.now();
    const isConcerned = (credential: Credential): boolean =>
      revoked === undefined || credential[revoked.field] === revoked.name;
    const concerned = [...this.credentials].filter(([, credentials]) => credentials.some(isConcerned));
    for (let i = 0; i < concerned.length; i += AT_ONCE) {
      const batch = concerned.slice(i, i + AT_ONCE);
      await Promise.all(batch.map(([sink, credentials]) => this.dismissIfRevoked(sink, credentials)));
    }
  }

  private async dismissIfRevoked(sink: StreamSink, credentials: Credential[]): Promise<void> {
    const revoked = await Promise.all(credentials.map(this.base.isRevoked));
    if (revoked.includes(true)) this.dismiss(sink, REVOKED);
  }

  private dismissExpired(): void {
    const now = serverNow();
    for (const [sink, credentials] of this.credentials) {
      if (credentials.some(({ expiresAt = now + 1 }) => expiresAt <= now)) this.dismiss(sink, EXPIRED);
    }
  }

  /** Ends a stream with an event that gives the reason. */
  private dismiss(sink: StreamSink, last: Buffer): void {
    const viewer = this.viewers.get(sink);
    if (viewer === undefined) return;
    const stalled = this.stalledSince(viewer) !== undefined;
    this.remove(sink);
    noteEnd(sink, last === EXPIRED ? 'expired' : 'revoked');
    // A viewer that does not read would not get the event, and would keep its socket open.
    if (stalled) return void sink.destroy();
    writeTo(sink, last);
    noteEvents(sink, 1);
    endStream(sink);
  }

  private remove(sink: StreamSink): void {
    const viewer = this.viewers.get(sink);
    if (viewer === undefined) return;
    this.viewers.delete(sink);
    this.credentials.delete(sink);
    noteEvents(sink, this.eventsOf(viewer));
    this.release(sink, viewer);
    if (this.viewers.size > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
    this.stepsLeft = 0;
  }

  private step(): void {
    if (this.stepsLeft === 0) {
      this.dismissExpired();
      this.prepare();
      this.unserved = this.viewers.entries();
      this.stepsLeft = this.steps;
    }
    this.stepsLeft--;
    const droppable = performance.now() - this.base.stallTimeoutMs;
    // The last step serves all that are left.
    const most = this.stepsLeft === 0 ? Number.POSITIVE_INFINITY : Math.ceil(this.viewers.size / this.steps);
    for (let served = 0; served < most; served++) {
      const { done, value } = this.unserved.next();
      if (done) return;
      const [sink, viewer] = value;
      const since = this.stalledSince(viewer);
      if (since === undefined) this.serve(sink, viewer);
      else if (since < droppable) {
        noteEnd(sink, 'stalled');
        streamStalls.only.value++;
        sink.destroy();
      }
    }
  }
}
