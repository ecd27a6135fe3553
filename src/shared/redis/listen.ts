import type { Redis } from 'ioredis';
import type { Logger } from '../process/log.js';

export interface ListenOptions {
  /** A Pub/Sub connection. It may be shared. */
  redis: Redis;
  /** An unsharded Pub/Sub channel. */
  channel: string;
  onMessage: (message: string) => void;
  /** Called when messages may have been missed, and once at the start: the current state has to be read. */
  onGap?: () => void | Promise<void>;
  /** The purpose, for the log: `could not subscribe to …`. */
  what: string;
  log: Logger;
}

/** Listens to a Pub/Sub channel, and subscribes again after each reconnect. */
export function listenTo({ redis, channel, onMessage, onGap = () => {}, what, log }: ListenOptions): void {
  // Names are compared as bytes: without sharded Pub/Sub, the frames of all channels arrive here too.
  const bytes = Buffer.from(channel);
  redis.on('messageBuffer', (from: Buffer, message: Buffer) => {
    if (bytes.equals(from)) onMessage(message.toString());
  });
  const subscribe = (): void => {
    redis
      .subscribe(channel)
      .then(onGap)
      .catch((error) => log.debug({ err: error }, `could not subscribe to ${what}`));
  };
  redis.on('ready', subscribe);
  if (redis.status === 'ready') subscribe();
}
