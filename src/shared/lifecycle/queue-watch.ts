import type { Keyspace } from '../keyspace.js';
import { broadcast, type ControlOptions, watchControl } from '../redis/broadcast.js';
import type { RedisClient } from '../redis/client.js';

export interface QueueWatchOptions extends Omit<ControlOptions, 'verb' | 'onMessage'> {
  /** Called when a queue was paused or resumed, by any program. */
  onChange: (queue: string) => void;
}

const VERB = 'queue';

/** Notifies every API process that a queue was paused or resumed, so that it rechecks its watched jobs in that queue. */
export const publishQueueChange = (redis: RedisClient, keyspace: Keyspace, queue: string): Promise<void> =>
  broadcast(redis, keyspace, VERB, queue);

/** Listens for the notifications of {@link publishQueueChange}. */
export const watchQueues = ({ onChange, ...options }: QueueWatchOptions): void =>
  watchControl({ ...options, verb: VERB, onMessage: onChange });
