import { createHash } from 'node:crypto';
import type { JobsOptions } from 'bullmq';
import { jobLinks } from '../jobs/links.js';
import { type OpenQueue, requireAddress } from '../jobs/queues.js';
import type { JobSettings } from '../jobs/settings.js';
import type { TerminalState } from '../jobs/states.js';
import type { Keyspace } from '../keyspace.js';
import type { Transition } from '../lifecycle/events.js';
import type { JobSnapshot } from '../lifecycle/snapshot.js';
import { channelProgress, jobView, readProgress } from '../lifecycle/view.js';
import type { RedisClient } from '../redis/client.js';
import { inShard, shardOf } from '../shards.js';
import { telemetryOption } from '../tracing/tracing.js';
import { type EndedJobView, webhookBody } from './payload.js';
import type { Webhook, WebhookStore } from './store.js';

/** The kind of job that delivers webhooks, and the name of its queue. */
export const WEBHOOK_JOB = 'webhook';

/**
 * The retries of a delivery: the first after 1 s, then after twice as long each time, up to 18 hours. The last attempt comes
 * 29 to 36 hours after the first. (Standard Webhooks 1.0.0, "Deliverability and reliability": exponential backoff with
 * jitter over more than a day.)
 */
const RETRIES = { attempts: 18, backoff: { type: 'exponential', delay: 1000, jitter: 0.2 } };

/** The data of a delivery job: the job that has ended, and the body to send. The URL is in the {@link WebhookStore}. */
export interface DeliveryData {
  job: string;
  body: string;
}

/** Queues the deliveries of webhooks. */
export interface WebhookQueue {
  /**
   * Queues the delivery of a job's end before that end is published. Idempotent: if several processes race to publish the
   * same end, one delivery is queued. The queue is an observer of the reconciler.
   */
  beforePublish(jobId: string, transition: Transition, job: JobSnapshot | undefined): Promise<void>;
}

export interface WebhookQueueOptions {
  redis: RedisClient;
  keyspace: Keyspace;
  openQueue: OpenQueue;
  store: WebhookStore;
  /** The path under which clients reach the service. */
  basePath: string;
}

export function createWebhookQueue(options: WebhookQueueOptions): WebhookQueue {
  const { redis, keyspace, openQueue, store, basePath } = options;
  async function enqueue(
    jobId: string,
    webhook: Webhook,
    { event, fence }: Transition,
    job: JobSnapshot | undefined,
  ): Promise<void> {
    const end = event.event as TerminalState;
    const { at, ...published } = event.data as { at: number } & Record<string, unknown>;
    const progress = job
      ? await readProgress(redis, keyspace, job)
      : ((await channelProgress(redis, keyspace, jobId)) ?? null);
    const view = job
      ? jobView(job, progress, basePath)
      : { ...viewOfRemoved(jobId, webhook, end, published, progress, at), links: jobLinks(jobId, basePath) };
    const data: DeliveryData = { job: jobId, body: webhookBody(end, at, view as EndedJobView) };
    const options: JobsOptions & { headway: JobSettings } = {
      ...RETRIES,
      // BullMQ ignores a job whose id exists.
      jobId: job ? deliveryId(job) : idOf(jobId, `removed ${fence.attempt} ${fence.rank}`),
      headway: {
        owner: webhook.owner,
        of: jobId,
        ...(webhook.requestId ? { requestId: webhook.requestId } : {}),
      },
      // Each try is part of the job's trace, whichever process has queued the delivery.
      ...telemetryOption(job?.trace),
    };
    await openQueue(queueFor(jobId)).add(WEBHOOK_JOB, data, options);
  }

  return {
    async beforePublish(jobId, transition, job) {
      // Most jobs have no webhook. For a removed job, only the store knows.
      if (job && !job.settings.webhook) return;
      if (transition.fence.reopens !== undefined) return store.retain(jobId);
      if (!transition.event.end) return;
      const webhook = await store.get(jobId);
      if (!webhook) return;
      if (webhook.events.includes(transition.event.event as TerminalState)) {
        await enqueue(jobId, webhook, transition, job);
      }
      await store.release(jobId);
    },
  };
}

/** Returns the id of the delivery for the current end of a job. */
export const deliveryId = (job: Pick<JobSnapshot, 'id' | 'finishedAt'>): string =>
  idOf(job.id, String(job.finishedAt));

/** Deliveries are in the shard of their job. */
const queueFor = (jobId: string): string => inShard(WEBHOOK_JOB, shardOf(requireAddress(jobId).queue));

const idOf = (jobId: string, end: string): string =>
  `${queueFor(jobId)}.${createHash('sha256').update(`${jobId} ${end}`).digest('base64url')}`;

/** Returns the `webhook-id` of a delivery: its job id without the queue and the full stop, which separates fields in the signature. */
export const messageId = (id: string): string => `msg_${id.slice(id.indexOf('.') + 1)}`;

/** Returns the view of a job that was removed from its queue at its end or before. */
function viewOfRemoved(
  id: string,
  { job }: Webhook,
  state: TerminalState,
  published: Record<string, unknown>,
  progress: unknown,
  finishedAt: number,
): EndedJobView {
  const { attempt, result, error } = published;
  return {
    id,
    name: job.name,
    state,
    progress,
    attempt,
    createdAt: job.createdAt,
    finishedAt,
    ...(state === 'completed' ? { result } : {}),
    ...(state === 'failed' ? { error } : {}),
  };
}
