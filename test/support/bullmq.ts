import { type Processor, Queue, QueueEvents, Worker, type WorkerOptions } from 'bullmq';
import type { Headway } from './headway.js';
import { openRedis } from './redis.js';

/** BullMQ without Headway, on the same Redis: queues and workers of other programs. */
export interface PlainBullMq {
  queue(name: string): Queue;
  worker(name: string, processor: Processor, options?: Partial<WorkerOptions>): Worker;
  queueEvents(name: string): Promise<QueueEvents>;
  /** Closes everything, after the running jobs have ended. */
  close(): Promise<void>;
}

export function plainBullMq({ redis }: Pick<Headway, 'redis'>): PlainBullMq {
  const connection = openRedis(redis.url);
  connection.on('error', () => {});
  const options = { connection, prefix: '{headway}' };
  const open: Array<{ close(): Promise<void>; on(event: 'error', listener: () => void): unknown }> = [];
  const keep = <T extends (typeof open)[number]>(thing: T): T => {
    thing.on('error', () => {});
    open.push(thing);
    return thing;
  };
  return {
    queue: (name) => keep(new Queue(name, options)),
    worker: (name, processor, more = {}) => keep(new Worker(name, processor, { ...options, ...more })),
    async queueEvents(name) {
      const events = keep(new QueueEvents(name, options));
      await events.waitUntilReady();
      return events;
    },
    async close() {
      await Promise.all(open.map((thing) => thing.close()));
      connection.disconnect();
    },
  };
}
