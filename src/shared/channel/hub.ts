import type { Redis } from 'ioredis';
import { Feed } from './feed.js';
import { type EventId, parseEventId } from './frame.js';
import { channelKeys, checkChannelName } from './keys.js';
import { PageBudget } from './page.js';
import type { Reader } from './reader.js';
import type { Sink, Subscription } from './subscription.js';

export interface ChannelHubOptions {
  /** A connection of its own, made with `autoResubscribe: false`: the only one for all subscriptions of a process. */
  redis: Redis;
  read: Reader;
  prefix: string;
  sharded: boolean;
  onError?: (error: unknown) => void;
}

const NOTHING_SEEN: EventId = { epoch: '', offset: 0 };

/**
 * Subscribes to channels. A channel is subscribed to in Redis once, however many viewers it has here, and
 * unsubscribed when the last one leaves.
 */
export class ChannelHub {
  private readonly feeds = new Map<string, Feed>();
  private readonly budget = new PageBudget();
  private readonly redis: Redis;
  private readonly onReady = () => this.resubscribe();

  constructor(private readonly options: ChannelHubOptions) {
    this.redis = options.redis;
    this.redis.on('ready', this.onReady);
    if (this.redis.status === 'ready') this.holdOn();
    this.redis.on('close', () => {
      for (const feed of this.feeds.values()) feed.offline();
    });
    this.redis.on(options.sharded ? 'smessageBuffer' : 'messageBuffer', (channel: Buffer, frame: Buffer) => {
      this.feeds.get(channel.toString('latin1'))?.deliver(frame);
    });
  }

  /**
   * Follows a channel into a sink: first what it has missed, then live, without a gap, a double or a change
   * of order between the two.
   * @param lastEventId the id of the last event that the viewer has seen. Without one, or with one that is
   *   not ours, it gets the present state; with one of a channel that is no more, `reset` before that.
   * @param after for a viewer that has seen nothing: the log events up to this offset are not wanted
   * @param stays the subscription goes on after the end of the channel
   * @throws TypeError for a name that no channel can have
   */
  subscribe(
    channel: string,
    sink: Sink,
    {
      lastEventId,
      after,
      stays = false,
    }: { lastEventId?: string | undefined; after?: number | undefined; stays?: boolean | undefined } = {},
  ): Subscription {
    const key = channelKeys(this.options.prefix, checkChannelName(channel))[0];
    const since = (lastEventId && parseEventId(lastEventId)) || NOTHING_SEEN;
    let feed = this.feeds.get(key);
    if (!feed) {
      feed = new Feed(channel, this.options.read, this.budget, () => this.drop(key));
      this.feeds.set(key, feed);
      this.follow(key, feed);
    }
    return feed.join(sink, since === NOTHING_SEEN ? { ...since, after } : since, stays);
  }

  /** Ends the streams of a channel that is no more: whoever comes back will be told. */
  end(channel: string): void {
    const feed = this.feeds.get(channelKeys(this.options.prefix, channel)[0]);
    for (const subscription of [...(feed?.subscriptions ?? [])]) {
      subscription.sink.end();
      subscription.close();
    }
  }

  /** Every subscription of this process. */
  *subscriptions(): Generator<Subscription> {
    for (const feed of this.feeds.values()) yield* feed.subscriptions;
  }

  /** How many follow a channel here. */
  count(channel: string): number {
    return this.feeds.get(channelKeys(this.options.prefix, channel)[0])?.subscriptions.size ?? 0;
  }

  /** The names of the channels that are watched here. */
  *channels(): Generator<string> {
    for (const feed of this.feeds.values()) yield feed.name;
  }

  private follow(key: string, feed: Feed): void {
    // Redis answers the commands of one connection in order, so a subscribe that follows an unsubscribe wins.
    const done = this.options.sharded ? this.redis.ssubscribe(key) : this.redis.subscribe(key);
    done.then(
      () => {
        if (this.feeds.get(key) === feed) feed.online();
      },
      // A connection that broke comes back with 'ready', which subscribes again.
      (error) => this.options.onError?.(error),
    );
  }

  private drop(key: string): void {
    this.feeds.delete(key);
    const done = this.options.sharded ? this.redis.sunsubscribe(key) : this.redis.unsubscribe(key);
    done.catch((error) => this.options.onError?.(error));
  }

  /**
   * Stays subscribed to something: ioredis takes the answer to the last `SUNSUBSCRIBE`, which counts sharded channels
   * only, for the end of all subscriptions, and then drops the messages of those that others made on this connection.
   */
  private holdOn(): void {
    const { sharded, prefix, onError } = this.options;
    if (sharded) this.redis.ssubscribe(`${prefix}:anchor`).catch((error) => onError?.(error));
  }

  private resubscribe(): void {
    this.holdOn();
    for (const [key, feed] of this.feeds) this.follow(key, feed);
  }
}
