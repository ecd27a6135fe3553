import type { ProblemError } from './errors.js';
import type { Status } from './stream.js';
import type { Pool, Topic } from './topic.js';
import type { ChannelEvent } from './types.js';
import { callListener, iterate, type ReadEvent, watchTopic } from './watch.js';

export interface ChannelOptions<T = unknown> {
  onEvent?(event: ChannelEvent<T>): void;
  /** Called when the state of the connection changes, once for each channel. */
  onStatus?(status: Status, channel: string): void;
  onEnd?(error: ProblemError | undefined, channel: string): void;
  /** How many of the newest log events of the channel to replay first, 0 to 10000. Defaults to 0. */
  last?: number | undefined;
  /** The id of the last event received, to resume after it. Only for a single channel. */
  lastEventId?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** One or more watched channels: an async iterable over the events of all of them, in order of arrival. */
export class Channels<T = unknown> implements AsyncIterable<ChannelEvent<T>> {
  private readonly topics: Topic[];
  private readonly stops: Array<() => void> = [];

  constructor(
    private readonly pool: Pool,
    readonly names: string[],
    private readonly options: ChannelOptions<T> = {},
  ) {
    const { last, lastEventId, signal, onEvent, onStatus, onEnd } = options;
    this.topics = names.map((name) => ({ kind: 'channel', name, last, lastEventId }));
    if (!onEvent && !onStatus && !onEnd) return;
    this.stops = this.topics.map((topic) =>
      watchTopic(pool, topic, {
        signal,
        onEvent: (event) => callListener(onEvent, inChannel(event, topic)),
        onStatus: (status) => callListener(onStatus, status, topic.name),
        onEnd: (error) => callListener(onEnd, error, topic.name),
      }),
    );
  }

  /** @throws ProblemError when a channel is refused; the signal's reason when the signal is aborted */
  [Symbol.asyncIterator](): AsyncGenerator<ChannelEvent<T>, void, undefined> {
    return iterate(this.pool, this.topics, inChannel, this.options.signal);
  }

  /** Stops calling the listeners. */
  close(): void {
    for (const stop of this.stops) stop();
  }
}

// biome-ignore lint/suspicious/noExplicitAny: the publisher decides the type of the data
const inChannel = (event: ReadEvent, { name }: Topic): ChannelEvent<any> => ({
  ...event,
  channel: name,
});
