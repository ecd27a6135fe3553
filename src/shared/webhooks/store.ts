import { jobChannel } from '../channel/keys.js';
import { parseForeign } from '../jobs/foreign-json.js';
import type { TerminalState } from '../jobs/states.js';
import type { Keyspace } from '../keyspace.js';
import type { RedisClient } from '../redis/client.js';

/** The webhook of a job. */
export interface Webhook {
  url: string;
  /** The signing secret. Defaults to the secret of the workers. */
  secret?: string | undefined;
  events: TerminalState[];
  /** The principal that started the job. */
  owner: string;
  /** The id of the request that the job goes back to. */
  requestId?: string | undefined;
  /** The fields of the job to send when BullMQ has removed it. */
  job: { name: string; createdAt: number };
}

/** How long the webhook of an unfinished job is kept, in ms. */
const WAIT_MS = 365 * 24 * 3_600_000;
/** How long the webhook is kept for deliveries after the job's end, in ms. Longer than all their attempts take. */
const DELIVERY_MS = 30 * 24 * 3_600_000;

/**
 * Stores the webhooks of jobs, in one key for each job. URLs and secrets are not stored with the job, because tools for
 * BullMQ would show them.
 */
export interface WebhookStore {
  /** @param delayMs the initial delay of the job. Defaults to 0. */
  add(jobId: string, webhook: Webhook, delayMs?: number): Promise<void>;
  get(jobId: string): Promise<Webhook | undefined>;
  remove(jobId: string): Promise<void>;
  /** Shortens the lifetime after the job's end to that of the job and the deliveries. */
  release(jobId: string): Promise<void>;
  /** Extends the lifetime again, when the job is retried. */
  retain(jobId: string): Promise<void>;
}

/** @param keepMs how long jobs are kept after their end */
export function createWebhookStore(redis: RedisClient, keyspace: Keyspace, keepMs: number): WebhookStore {
  // The key is in the same slot as the job's channel.
  const key = (jobId: string): string => `${keyspace.prefix}:{${jobChannel(jobId)}}:webhook`;
  return {
    async add(jobId, webhook, delayMs = 0) {
      await redis.set(key(jobId), JSON.stringify(webhook), 'PX', delayMs + WAIT_MS);
    },
    async get(jobId) {
      const found = await redis.get(key(jobId));
      const webhook = parseForeign(found ?? undefined) as Webhook | undefined;
      // An unreadable webhook is not called, and must not keep the job's end from being published.
      return Array.isArray(webhook?.events) && typeof webhook.job === 'object' ? webhook : undefined;
    },
    async remove(jobId) {
      await redis.del(key(jobId));
    },
    async release(jobId) {
      await redis.pexpire(key(jobId), keepMs + DELIVERY_MS);
    },
    async retain(jobId) {
      await redis.pexpire(key(jobId), WAIT_MS);
    },
  };
}
