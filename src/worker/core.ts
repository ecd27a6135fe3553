import type { FileStore } from '../shared/files/store.js';
import type { RedisClient } from '../shared/redis/client.js';
import type { Subscriber } from '../shared/redis/subscriber.js';
import type { ProcessCore } from '../shared/runtime/core.js';

/** What most parts of a worker need. */
export interface Core extends ProcessCore {
  /** The connection of BullMQ's workers and queues. */
  bullmqRedis: RedisClient;
  /** The connection on which requests to cancel arrive. */
  commandsRedis: Subscriber;
  store: FileStore;
}
