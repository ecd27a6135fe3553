import type { Logger } from '../process/log.js';
import type { Subscriber } from './subscriber.js';

export interface ListenOptions {
  /** A Pub/Sub connection. It may be shared. */
  redis: Subscriber;
  /** A channel of `publishTo`. */
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
  const after = (subscribed: Promise<unknown>): void => {
    subscribed.then(onGap).catch((error) => log.debug({ err: error }, `could not subscribe to ${what}`));
  };
  const subscribe = (): void => after(redis.subscribe(channel));
  redis.on('ready', subscribe);
  redis.on('found', (found) => {
    if (found === channel) after(Promise.resolve());
  });
  if (redis.status === 'ready') subscribe();
}
