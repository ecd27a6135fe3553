import type { QueuePlan } from '../jobs/queues.js';
import type { Registry } from '../jobs/registry.js';
import type { Config } from '../process/config.js';
import type { Logger } from '../process/log.js';
import type { Connection } from './connection.js';

/** What most parts of a process need. */
export interface ProcessCore {
  config: Config;
  registry: Registry;
  log: Logger;
  plan: QueuePlan;
  connection: Connection;
}
