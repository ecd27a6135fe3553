import { z } from 'zod';
import { MAX_SHARDS } from '../shards.js';

/** The setting that spreads the jobs over several slots of a Redis Cluster. */
export const shardSettings = {
  QUEUE_SHARDS: z.coerce
    .number()
    .int()
    .min(1)
    .max(MAX_SHARDS)
    .default(1)
    .describe(
      'Number of shards of the queues. Each is in another slot of a Redis Cluster, and a job is in one of them with its children, webhook deliveries and later runs. All processes need the same value; [Scaling](scaling.md) says how to change it.',
    ),
};
