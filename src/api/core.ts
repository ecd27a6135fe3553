import type { Redis } from 'ioredis';
import type { ProcessCore } from '../shared/runtime/core.js';

/** What most parts of the API need. */
export interface Core extends ProcessCore {
  /** The connection for subscriptions. */
  subscriberRedis: Redis;
}

export const pubSubOf = ({ connection, subscriberRedis }: Core) => ({
  redis: connection.redis,
  hub: subscriberRedis,
  keyspace: connection.keyspace,
});
