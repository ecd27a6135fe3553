import type { Redis } from 'ioredis';
import type { QueuePlan } from '../shared/jobs/queues.js';
import type { Registry } from '../shared/jobs/registry.js';
import type { Config } from '../shared/process/config.js';
import type { Logger } from '../shared/process/log.js';
import type { Connection } from '../shared/runtime/connection.js';

/** What most parts of the API need. */
export interface Core {
  config: Config;
  registry: Registry;
  log: Logger;
  plan: QueuePlan;
  connection: Connection;
  /** The connection for subscriptions. */
  subscriberRedis: Redis;
}

export const pubSubOf = ({ connection, subscriberRedis }: Core) => ({
  redis: connection.redis,
  hub: subscriberRedis,
  keyspace: connection.keyspace,
});
