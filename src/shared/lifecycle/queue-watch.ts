import type { Redis } from 'ioredis';
import { broadcast, type ControlOptions, watchControl } from '../redis/broadcast.js';

export interface QueueWatchOptions extends Omit<ControlOptions, 'verb' | 'onMessage'> {
  /** A queue was paused or resumed, by whomever. */
  onChange: (queue: string) => void;
}

const VERB = 'queue';

/** Tells every API process that a queue was paused or resumed, so that it looks at the jobs that are watched there. */
export const publishQueueChange = (redis: Redis, prefix: string, queue: string): Promise<void> =>
  broadcast(redis, prefix, VERB, queue);

/** Listens for queues that are paused or resumed. */
export const watchQueues = ({ onChange, ...options }: QueueWatchOptions): void =>
  watchControl({ ...options, verb: VERB, onMessage: onChange });
