import type { JobsOptions } from 'bullmq';
import type { Redis } from 'ioredis';
import { everyChannelKey, jobChannel } from '../channel/keys.js';
import type { Publisher } from '../channel/publisher.js';
import type { JobDefinition } from '../jobs/definition.js';
import { type JobOptions, queueOptions } from '../jobs/options.js';
import { addressOf, type OpenQueue } from '../jobs/queues.js';
import { accepted } from '../lifecycle/events.js';
import type { Expiry } from '../lifecycle/expiry.js';
import { serverNow } from '../redis/server-clock.js';
import { untilTaken } from '../redis/until-taken.js';
import type { WebhookStore } from '../webhooks/store.js';

/** A job that is about to be queued: its data fit, its options are in order. */
export interface NewJob {
  /** From `newJobId`, or another id that begins with the name of the job's queue. */
  id: string;
  definition: JobDefinition;
  data: unknown;
  options: JobOptions;
  /** The principal whose job it is. */
  owner?: string | undefined;
  /** The ids of the jobs above it: who started whom, down to the one that starts this. */
  ancestors?: string[];
  /** What else BullMQ is told. */
  bullmq?: JobsOptions;
}

/**
 * Queues a job. When it returns, Redis has it; a second call with the same id does nothing.
 * @returns the job's id: another than the one given when BullMQ found it to be a duplicate
 */
export type Enqueue = (job: NewJob) => Promise<string>;

export interface EnqueueOptions {
  redis: Redis;
  prefix: string;
  openQueue: OpenQueue;
  publisher: Publisher;
  expiry: Expiry;
  webhooks: WebhookStore;
  /**
   * Whether the publisher sends at once, and not gathered: then all of it is one round trip, also for many jobs. Redis
   * does it in the order in which it is sent.
   */
  oneTurn: boolean;
}

export function createEnqueue(options: EnqueueOptions): Enqueue {
  const { redis, prefix, openQueue, publisher, expiry, webhooks, oneTurn } = options;

  /** Removes what was written under an id that no job got. */
  async function forget(id: string): Promise<void> {
    await Promise.all([
      redis.unlink(...everyChannelKey(prefix, jobChannel(id))),
      expiry.remove(id),
      webhooks.remove(id),
    ]);
  }

  return async ({ id, definition, data, options: jobOptions, owner = '', ancestors, bullmq: further }) => {
    const now = serverNow();
    const { bullmq, dueAt, expiresAt } = queueOptions(jobOptions, definition.defaults, owner, now);
    const { webhook } = jobOptions;
    const { queue } = addressOf(id)!;
    const { event, fence } = accepted({ id, name: definition.name, ...(dueAt ? { dueAt } : {}) });
    const about = { name: definition.name, createdAt: now };
    // Told first: a worker may be faster than we are.
    const tell = () => publisher.publish(jobChannel(id), event, fence);
    const published = oneTurn ? tell() : await untilTaken(tell);
    const [, , , job] = await Promise.all([
      published,
      expiresAt === undefined ? undefined : expiry.add(id, expiresAt),
      webhook && webhooks.add(id, { ...webhook, owner, job: about }, bullmq.delay),
      openQueue(queue).add(definition.name, data, {
        ...bullmq,
        ...further,
        jobId: id,
        headway: { ...bullmq.headway, ...(ancestors ? { ancestors } : {}) },
      } as JobsOptions),
    ]);
    // A job with the same deduplication key has not ended: that one is the job, and this id stays unused.
    if (job.id !== id) await forget(id);
    return job.id!;
  };
}
