import type { ChannelHub } from '../../shared/channel/hub.js';
import type { Sink } from '../../shared/channel/subscription.js';
import { HeadwayError } from '../../shared/errors.js';
import type { JobEvent } from '../../shared/jobs/events/types.js';
import { readFrames } from '../stream/frame-fields.js';
import type { MultiplexedChannel } from '../stream/multiplexed.js';

/** Maximum number of frames that wait for their reader. Beyond it, the channel keeps them, and progress is conflated. */
const MAX_FRAMES = 100;

/** The sink of a viewer in this process: frames wait until its loop asks for them. */
class FrameQueue implements Sink {
  private frames: Buffer[] = [];
  private over: { error?: unknown } | undefined;
  private wake: () => void = () => {};

  write(frame: Buffer): boolean {
    this.frames.push(frame);
    this.wake();
    return this.frames.length < MAX_FRAMES;
  }

  end(): void {
    this.over ??= {};
    this.wake();
  }

  fail(error: unknown): void {
    this.frames = [];
    this.over = { error };
    this.wake();
  }

  /** Takes the frames that have arrived, as soon as there are any. @returns none at the end @throws the error of `fail` */
  async take(): Promise<Buffer[]> {
    while (this.frames.length === 0 && !this.over) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    if (this.over && 'error' in this.over) throw this.over.error;
    return this.frames.splice(0);
  }
}

/** The viewers of jobs in the process of an application. */
export class LocalViewers {
  private readonly queues = new Set<FrameQueue>();
  private isClosed = false;

  constructor(private readonly hub: Pick<ChannelHub, 'subscribe'>) {}

  get closed(): boolean {
    return this.isClosed;
  }

  /**
   * Yields the events of a channel: those that the viewer has missed, then live ones, until its end.
   * @param after the id of the last event that the viewer has seen
   * @throws the reason of the signal; HeadwayError `unavailable` when the viewers are closed
   */
  async *follow(
    { name, stays }: MultiplexedChannel,
    after: string | undefined,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<JobEvent, void, undefined> {
    signal?.throwIfAborted();
    if (this.isClosed) throw headwayClosed();
    const queue = new FrameQueue();
    const onAbort = (): void => queue.fail(signal?.reason);
    signal?.addEventListener('abort', onAbort);
    this.queues.add(queue);
    const subscription = this.hub.subscribe(name, queue, { lastEventId: after, stays });
    try {
      for (;;) {
        const frames = await queue.take();
        if (frames.length === 0) return;
        for (const { id, event, data } of readFrames(Buffer.concat(frames).toString())) {
          if (data !== undefined) yield { id, event, data: JSON.parse(data) } as JobEvent;
        }
        subscription.resume();
      }
    } finally {
      signal?.removeEventListener('abort', onAbort);
      this.queues.delete(queue);
      subscription.close();
    }
  }

  /** Ends all viewers with an error: without one, their loops would take it for the end of the job. */
  close(): void {
    this.isClosed = true;
    for (const queue of this.queues) queue.fail(headwayClosed());
  }
}

/** The error of a call after `close()`. */
export const headwayClosed = (): HeadwayError => new HeadwayError('unavailable', 'Headway was closed.');
