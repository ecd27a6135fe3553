import type { Keyspace } from '../keyspace.js';
import type { Logger } from '../process/log.js';
import { publishTo, type RedisClient } from './client.js';
import { listenTo } from './listen.js';
import type { Subscriber } from './subscriber.js';

/**
 * The Pub/Sub channel for messages between processes. A message is a verb and its subject: `cancel` and a job's id for the
 * workers, or `queue` and the name of a paused or resumed queue for the API.
 */
export const controlChannel = ({ prefix }: Keyspace, { isCluster }: { isCluster: boolean }): string =>
  // In a Cluster, scripts of jobs publish to it, so it is in their slot.
  isCluster ? `${prefix}:{${prefix}}:control` : `${prefix}:control`;

export interface ControlOptions {
  /** A Pub/Sub connection. It may be shared. */
  redis: Subscriber;
  keyspace: Keyspace;
  /** The first word of the messages to receive. */
  verb: string;
  /** Called with the rest of each message. */
  onMessage: (subject: string) => void;
  /** Called when messages may have been missed, and once at the start: the current state has to be read. */
  onGap: () => void | Promise<void>;
  log: Logger;
}

/** Listens for messages of one verb on the control channel. */
export function watchControl({ keyspace, verb, onMessage, ...options }: ControlOptions): void {
  listenTo({
    ...options,
    channel: controlChannel(keyspace, options.redis),
    what: 'control messages',
    onMessage(message) {
      if (message.startsWith(`${verb} `)) onMessage(message.slice(verb.length + 1));
    },
  });
}

/** Sends a control message to every process. */
export async function broadcast(
  redis: RedisClient,
  keyspace: Keyspace,
  verb: string,
  subject: string,
): Promise<void> {
  await publishTo(redis, controlChannel(keyspace, redis), `${verb} ${subject}`);
}
