import type { JobsOptions } from 'bullmq';
import { jobChannel } from './channel/keys.js';
import type { Publisher } from './channel/publisher.js';
import type { JobDefinition } from './job.js';
import { type JobOptions, queueOptions } from './job-options.js';
import type { Expiry } from './lifecycle/expiry.js';
import { accepted } from './lifecycle/transitions.js';
import { addressOf, type OpenQueue } from './queues.js';

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
  openQueue: OpenQueue;
  publisher: Publisher;
  expiry: Expiry;
}

export function createEnqueue({ openQueue, publisher, expiry }: EnqueueOptions): Enqueue {
  return async ({ id, definition, data, options, owner, ancestors, bullmq: further }) => {
    const { bullmq, dueAt, expiresAt } = queueOptions(options, definition.defaults, owner);
    // Told first: a worker may be faster than we are.
    const told = accepted({ id, name: definition.name, ...(dueAt ? { dueAt } : {}) });
    await publisher.publish(jobChannel(id), told.event, told.fence);
    if (expiresAt !== undefined) await expiry.add(id, expiresAt);
    const { queue } = addressOf(id)!;
    const job = await openQueue(queue).add(definition.name, data, {
      ...bullmq,
      ...further,
      jobId: id,
      headway: { ...bullmq.headway, ...(ancestors ? { ancestors } : {}) },
    } as JobsOptions);
    return job.id!;
  };
}
