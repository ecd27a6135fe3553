import type { Redis } from 'ioredis';
import type { FileStore } from '../shared/files/store.js';
import type { ProcessCore } from '../shared/runtime/core.js';

/** What most parts of a worker need. */
export interface Core extends ProcessCore {
  /** The connection of BullMQ's workers and queues. */
  bullmqRedis: Redis;
  /** The connection on which requests to cancel arrive. */
  commandsRedis: Redis;
  store: FileStore;
}
