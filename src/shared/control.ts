import type { Redis } from 'ioredis';
import { controlChannel } from './lifecycle/withdraw.js';
import type { Logger } from './log.js';

export interface ControlOptions {
  /** A connection for Pub/Sub; others may use it too. */
  redis: Redis;
  prefix: string;
  /** What the messages are about: their first word. */
  verb: string;
  /** One came; `about` is the rest of it. */
  onMessage: (about: string) => void;
  /** Messages may have been missed: look for oneself. Also called once at the beginning. */
  onGap: () => void;
  log: Logger;
}

/** Listens for what processes tell one another. */
export function watchControl({ redis, prefix, verb, onMessage, onGap, log }: ControlOptions): void {
  const channel = controlChannel(prefix);
  // As bytes: where Pub/Sub is not sharded, the frames of all channels pass here too.
  const bytes = Buffer.from(channel);
  redis.on('messageBuffer', (from: Buffer, message: Buffer) => {
    if (!bytes.equals(from)) return;
    const text = message.toString();
    if (text.startsWith(`${verb} `)) onMessage(text.slice(verb.length + 1));
  });
  const subscribe = (): void => {
    redis
      .subscribe(channel)
      .then(onGap)
      .catch((error) => log.debug({ err: error }, 'could not listen for what others tell'));
  };
  redis.on('ready', subscribe);
  if (redis.status === 'ready') subscribe();
}

/** Tells every process something. */
export async function tellAll(redis: Redis, prefix: string, verb: string, about: string): Promise<void> {
  await redis.publish(controlChannel(prefix), `${verb} ${about}`);
}
