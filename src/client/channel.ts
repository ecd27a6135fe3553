import type { ProblemError } from './errors.js';
import type { Status } from './stream.js';
import type { Pool, Topic } from './topic.js';
import type { ChannelEvent } from './types.js';
import { iterate, type ReadEvent, tell, watchTopic } from './watch.js';

export interface ChannelOptions<T = unknown> {
  onEvent?(event: ChannelEvent<T>): void;
  /** Of the connection, for each channel. */
  onStatus?(status: Status, channel: string): void;
  onEnd?(error: ProblemError | undefined, channel: string): void;
  /** How many of the newest events of its log come first, 0 to 10000. Default 0. */
  last?: number | undefined;
  /** The id of the last event that was seen, to go on from there; for one channel. */
  lastEventId?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** One or more channels that are watched: the events of all, as they come. */
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
        onEvent: (event) => tell(onEvent, inChannel(event, topic)),
        onStatus: (status) => tell(onStatus, status, topic.name),
        onEnd: (error) => tell(onEnd, error, topic.name),
      }),
    );
  }

  /** @throws ProblemError when a channel is refused; the reason of the signal when that is aborted */
  [Symbol.asyncIterator](): AsyncGenerator<ChannelEvent<T>, void, undefined> {
    return iterate(this.pool, this.topics, inChannel, this.options.signal);
  }

  /** Ends the calls of the listeners. */
  close(): void {
    for (const stop of this.stops) stop();
  }
}

// biome-ignore lint/suspicious/noExplicitAny: its data is what its publisher sent
const inChannel = (event: ReadEvent, { name }: Topic): ChannelEvent<any> => ({
  ...event,
  channel: name,
});
