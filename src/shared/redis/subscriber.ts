/**
 * A connection for Pub/Sub: to one server, where it is that of ioredis, or to the nodes of a Redis Cluster. It may be shared:
 * every listener gets every message.
 */
export interface Subscriber {
  readonly isCluster: boolean;
  /** `ready` while messages arrive on all subscriptions. */
  readonly status: string;
  /** Subscribes to messages of {@link publishTo}. They arrive as `messageBuffer`. Resolves when Redis has confirmed it. */
  subscribe(channel: string): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  /** Subscribes to sharded messages. They arrive as `smessageBuffer`. Resolves when Redis has confirmed it. */
  ssubscribe(channel: string): Promise<unknown>;
  sunsubscribe(channel: string): Promise<unknown>;
  /** Resolves when every server with a subscription has answered. */
  ping(): Promise<unknown>;
  disconnect(): void;
  /** `ready`: everything has to be subscribed to. `close`: all subscriptions are lost. */
  on(event: 'ready' | 'close', listener: () => void): unknown;
  on(
    event: 'messageBuffer' | 'smessageBuffer',
    listener: (channel: Buffer, message: Buffer) => void,
  ): unknown;
  /**
   * Only in a Cluster. `lost`: messages of a channel may be missed from now on, because its slot moves or its master is away.
   * `found`: the channel is subscribed to again, without a call.
   */
  on(event: 'lost' | 'found', listener: (channel: string) => void): unknown;
}
