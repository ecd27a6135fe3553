import { Queue } from 'bullmq';
import type { OpenQueue } from '../jobs/queues.js';
import type { Keyspace } from '../keyspace.js';
import type { RedisClient } from '../redis/client.js';
import { repeatStrategy } from '../schedules/cron.js';
import { splitQueue } from '../shards.js';
import { serverTimedBackend } from './bullmq-backend.js';

/** Returns a function that opens BullMQ queues, each once. */
export function createQueues(
  connection: RedisClient,
  keyspace: Keyspace,
  onError: (error: Error) => void,
): OpenQueue {
  const open = new Map<string, Queue>();
  return (name) => {
    let queue = open.get(name);
    if (!queue) {
      const { shard, name: ofAllShards } = splitQueue(name);
      queue = new Queue(
        ofAllShards,
        { connection, prefix: keyspace.prefixOf(shard), settings: { repeatStrategy } },
        serverTimedBackend,
      );
      queue.on('error', onError);
      open.set(name, queue);
      // A queue that could not be opened, because Redis was unavailable, would never recover: open it again next time.
      queue.waitUntilReady().catch(() => open.delete(name));
    }
    return queue;
  };
}
