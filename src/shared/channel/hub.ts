import type { Keyspace } from '../keyspace.js';
import type { Subscriber } from '../redis/subscriber.js';
import { Feed } from './feed.js';
import { type EventId, parseEventId } from './frame.js';
import { channelKeys, checkChannelName } from './keys.js';
import { PageBudget } from './page.js';
import type { Reader } from './reader.js';
import type { Sink, Subscription } from './subscription.js';

export interface ChannelHubOptions {
  /** The Pub/Sub connection for all subscriptions of the process. */
  redis: Subscriber;
  read: Reader;
  keyspace: Keyspace;
  sharded: boolean;
  onError?: (error: unknown) => void;
}

const NOTHING_SEEN: EventId = { epoch: '', offset: 0 };

/**
 * Holds all channel subscriptions of a process. Each channel is subscribed to in Redis once, however many viewers it has, and
 * unsubscribed when its last viewer leaves.
 */
export class ChannelHub {
  private readonly feeds = new Map<string, Feed>();
  private readonly budget = new PageBudget();
  private readonly redis: Subscriber;
  private readonly onReady = () => this.resubscribe();

  constructor(private readonly options: ChannelHubOptions) {
    this.redis = options.redis;
    this.redis.on('ready', this.onReady);
    if (this.redis.status === 'ready') this.keepSubscribed();
    this.redis.on('close', () => {
      for (const feed of this.feeds.values()) feed.offline();
    });
    this.redis.on('lost', (key) => this.feeds.get(key)?.offline());
    this.redis.on('found', (key) => this.feeds.get(key)?.online());
    this.redis.on(options.sharded ? 'smessageBuffer' : 'messageBuffer', (channel: Buffer, frame: Buffer) => {
      this.feeds.get(channel.toString('latin1'))?.deliver(frame);
    });
  }

  /**
   * Writes the events of a channel to a sink: first those that the viewer has missed, then live ones. None is lost, repeated or
   * out of order between the two.
   * @param lastEventId the id of the last event that the viewer has seen. Without one, or with an id that is not Headway's, the
   *   viewer gets the current state. With an id of a channel that no longer exists, it gets `reset` first.
   * @param after for a viewer that has seen nothing: skips the log events up to this offset
   * @param stays whether the subscription continues after the end of the channel. Defaults to false.
   * @throws TypeError for an invalid channel name
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
    const key = channelKeys(this.options.keyspace, checkChannelName(channel))[0];
    const given = lastEventId ? parseEventId(lastEventId) : undefined;
    // The first event has the offset 1: a viewer before it has seen nothing, in whichever epoch.
    const since = given && given.offset > 0 ? given : NOTHING_SEEN;
    let feed = this.feeds.get(key);
    if (!feed) {
      feed = new Feed(channel, this.options.read, this.budget, () => this.drop(key));
      this.feeds.set(key, feed);
      this.follow(key, feed);
    }
    return feed.join(sink, since === NOTHING_SEEN ? { ...since, after } : since, stays);
  }

  /** Returns whether it is known without a call to Redis that a channel has not ended. Only a channel with viewers is. */
  isKnownOpen(channel: string): boolean {
    return this.feeds.get(channelKeys(this.options.keyspace, channel)[0])?.isKnownOpen ?? false;
  }

  /** Returns whether the newest event of a channel that was read here is its end. */
  hasEnded(channel: string): boolean {
    return this.feeds.get(channelKeys(this.options.keyspace, channel)[0])?.hasEnded ?? false;
  }

  /** Ends the streams of a removed channel. Viewers that reconnect get an error response. */
  end(channel: string): void {
    const feed = this.feeds.get(channelKeys(this.options.keyspace, channel)[0]);
    for (const subscription of [...(feed?.subscriptions ?? [])]) {
      subscription.sink.end();
      subscription.close();
    }
  }

  /** Iterates over all subscriptions of this process. */
  *subscriptions(): Generator<Subscription> {
    for (const feed of this.feeds.values()) yield* feed.subscriptions;
  }

  /** Returns the number of subscriptions of a channel in this process. */
  count(channel: string): number {
    return this.feeds.get(channelKeys(this.options.keyspace, channel)[0])?.subscriptions.size ?? 0;
  }

  /** The number of channels with a subscription in this process. */
  get size(): number {
    return this.feeds.size;
  }

  /** Iterates over the names of the channels with a subscription in this process. */
  *channels(): Generator<string> {
    for (const feed of this.feeds.values()) yield feed.name;
  }

  private follow(key: string, feed: Feed): void {
    // Redis processes the commands of one connection in order, so a subscribe after an unsubscribe wins.
    const done = this.options.sharded ? this.redis.ssubscribe(key) : this.redis.subscribe(key);
    done.then(
      () => {
        if (this.feeds.get(key) === feed) feed.online();
      },
      // A lost connection becomes ready again, and `resubscribe` repeats the command.
      (error) => this.options.onError?.(error),
    );
  }

  private drop(key: string): void {
    this.feeds.delete(key);
    const done = this.options.sharded ? this.redis.sunsubscribe(key) : this.redis.unsubscribe(key);
    done.catch((error) => this.options.onError?.(error));
  }

  /**
   * Keeps one sharded subscription at all times. The reply to `SUNSUBSCRIBE` counts sharded channels only; at zero, ioredis
   * assumes that no subscription is left and drops the messages of unsharded ones on this connection.
   */
  private keepSubscribed(): void {
    const { sharded, keyspace, onError } = this.options;
    if (sharded) this.redis.ssubscribe(`${keyspace.prefix}:anchor`).catch((error) => onError?.(error));
  }

  private resubscribe(): void {
    this.keepSubscribed();
    for (const [key, feed] of this.feeds) this.follow(key, feed);
  }
}
