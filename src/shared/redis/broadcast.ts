import type { Redis } from 'ioredis';
import type { Logger } from '../process/log.js';
import { listenTo } from './listen.js';

/**
 * The Pub/Sub channel on which processes are told what to look at. A message is a verb and what it is about: `cancel`
 * and a job's id, for the workers; `queue` and the name of one that was paused or resumed, for the API.
 */
export const controlChannel = (prefix: string): string => `${prefix}:control`;

export interface ControlOptions {
  /** A connection for Pub/Sub; others may use it too. */
  redis: Redis;
  prefix: string;
  /** What the messages are about: their first word. */
  verb: string;
  /** One came; `about` is the rest of it. */
  onMessage: (about: string) => void;
  /** Messages may have been missed: look for oneself. Also called once at the beginning. */
  onGap: () => void | Promise<void>;
  log: Logger;
}

/** Listens for what processes tell one another. */
export function watchControl({ prefix, verb, onMessage, ...options }: ControlOptions): void {
  listenTo({
    ...options,
    channel: controlChannel(prefix),
    what: 'what others tell',
    onMessage(message) {
      if (message.startsWith(`${verb} `)) onMessage(message.slice(verb.length + 1));
    },
  });
}

/** Tells every process something. */
export async function broadcast(redis: Redis, prefix: string, verb: string, about: string): Promise<void> {
  await redis.publish(controlChannel(prefix), `${verb} ${about}`);
}
