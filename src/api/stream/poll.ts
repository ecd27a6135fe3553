import type { ServerResponse } from 'node:http';
import { BEHIND, type SubscriptionState } from '../../shared/channel/subscription.js';
import { HeadwayError } from '../../shared/errors.js';
import { WAITING } from './frames.js';
import type { SinkEvents, StreamSink } from './handshake.js';
import { sendPollAnswer } from './poll-answer.js';
import type { PollRequest } from './poll-request.js';

/** Size of the events from which on an answer is sent without waiting for more, in bytes. */
const MAX_BYTES = 256 * 1024;

/** What a poll follows. */
interface Followed {
  readonly state: SubscriptionState;
  /** The viewer's position; empty before the first read. */
  readonly position: string;
}

/**
 * The sink of a long poll. To the channel it is a viewer like any other, so that the same rule decides what it has missed. It
 * collects events until the viewer is up to date, then answers the request.
 */
export class PollSink implements StreamSink {
  /** Settles when the request has been answered or its client has left. Rejects if the answer is an error. */
  readonly answered: Promise<void>;
  destroyed = false;
  private settle!: { resolve(): void; reject(error: unknown): void };
  private frames: Buffer[] = [];
  private bytes = 0;
  private followed: Followed | undefined;
  private timer: NodeJS.Timeout | undefined;
  private soon: NodeJS.Immediate | undefined;

  /** @param after the viewer's position, as requested */
  constructor(
    private readonly res: ServerResponse,
    private readonly request: PollRequest,
    private readonly after: string,
    private readonly on: SinkEvents,
  ) {
    this.answered = new Promise((resolve, reject) => {
      this.settle = { resolve, reject };
    });
    // Whoever has refused the request meanwhile does not wait for it.
    this.answered.catch(() => {});
    res.once('close', () => this.leave());
    if (request.waitMs > 0) this.timer = setTimeout(() => this.end(), request.waitMs);
  }

  /** Sets what the poll follows. Events may have been written already. */
  follow(followed: Followed): void {
    this.followed = followed;
    this.caughtUp();
  }

  write(frame: Buffer): boolean {
    if (frame === WAITING) this.fail();
    if (this.destroyed) return true;
    this.frames.push(frame);
    this.bytes += frame.length;
    this.caughtUp();
    return this.bytes < MAX_BYTES;
  }

  /** Answers after this turn, in which further events may be written. */
  caughtUp(): void {
    this.soon ??= setImmediate(() => {
      this.soon = undefined;
      const { followed, bytes, request } = this;
      if (followed && followed.state !== BEHIND && (bytes > 0 || request.waitMs === 0)) this.end();
    });
  }

  /** Answers with what there is. */
  end(): void {
    if (this.destroyed) return;
    const { res, request, followed, after } = this;
    const frames = Buffer.concat(this.frames);
    this.leave();
    if (res.destroyed) return;
    sendPollAnswer(res, { isJson: request.isJson, frames, after: followed?.position || after });
  }

  destroy(): void {
    if (this.destroyed) return;
    this.leave();
    this.res.destroy();
  }

  /** Redis does not answer: without an answer of its own, the viewer would take what it knows for the present state. */
  private fail(): void {
    if (this.destroyed) return;
    this.settle.reject(new HeadwayError('unavailable', 'Redis does not answer. Try again soon.'));
    this.leave();
  }

  private leave(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    clearTimeout(this.timer);
    clearImmediate(this.soon);
    this.frames = [];
    this.on.onClose(this);
    this.settle.resolve();
  }
}
