import type { Redis } from 'ioredis';
import type { Logger } from '../process/log.js';

export interface ListenOptions {
  /** A connection for Pub/Sub; others may use it too. */
  redis: Redis;
  /** A Pub/Sub channel that is not sharded. */
  channel: string;
  onMessage: (message: string) => void;
  /** Messages may have been missed: look for oneself. Also called once at the beginning. */
  onGap?: () => void | Promise<void>;
  /** What it is for, for the log: `could not listen for …`. */
  what: string;
  log: Logger;
}

/** Listens to a Pub/Sub channel, across losses of the connection. */
export function listenTo({ redis, channel, onMessage, onGap = () => {}, what, log }: ListenOptions): void {
  // As bytes: where Pub/Sub is not sharded, the frames of all channels pass here too.
  const bytes = Buffer.from(channel);
  redis.on('messageBuffer', (from: Buffer, message: Buffer) => {
    if (bytes.equals(from)) onMessage(message.toString());
  });
  const subscribe = (): void => {
    redis
      .subscribe(channel)
      .then(onGap)
      .catch((error) => log.debug({ err: error }, `could not listen for ${what}`));
  };
  redis.on('ready', subscribe);
  if (redis.status === 'ready') subscribe();
}
