import type { Subscriber } from '../shared/redis/subscriber.js';
import type { ProcessCore } from '../shared/runtime/core.js';
import type { Limiter } from './limits/limiter.js';

/** What most parts of the API need. */
export interface Core extends ProcessCore {
  /** The connection for subscriptions. */
  subscriberRedis: Subscriber;
  limiter: Limiter;
}

export const pubSubOf = ({ connection, subscriberRedis }: Core) => ({
  redis: connection.redis,
  hub: subscriberRedis,
  keyspace: connection.keyspace,
});
