import type { Cluster, Redis } from 'ioredis';
import { jobChannel } from '../channel/keys.js';
import { parseForeign } from '../jobs/foreign-json.js';
import type { TerminalState } from '../jobs/states.js';

/** Whom to call at the end of a job. */
export interface Webhook {
  url: string;
  /** Signs the call. Default: the secret of the workers. */
  secret?: string | undefined;
  events: TerminalState[];
  /** The principal that started the job. */
  owner: string;
  /** What is still to be told when the queue has forgotten the job. */
  job: { name: string; createdAt: number };
}

/** For how long a job may not come to its end, in ms. */
const WAIT_MS = 365 * 24 * 3_600_000;
/** For how long a delivery may take after the end, in ms: much more than its attempts do. */
const DELIVERY_MS = 30 * 24 * 3_600_000;

/**
 * The webhooks of jobs. Addresses and secrets are kept here, in a key for each job, and not with the job, where tools
 * of BullMQ would show them.
 */
export interface WebhookStore {
  /** @param delayMs how long the job is going to be delayed */
  add(jobId: string, webhook: Webhook, delayMs?: number): Promise<void>;
  get(jobId: string): Promise<Webhook | undefined>;
  remove(jobId: string): Promise<void>;
  /** The job has ended: from now on it is only kept for as long as job and delivery are. */
  release(jobId: string): Promise<void>;
  /** The job runs again. */
  retain(jobId: string): Promise<void>;
}

/** @param keepMs how long a finished job is kept */
export function createWebhookStore(redis: Redis | Cluster, prefix: string, keepMs: number): WebhookStore {
  // In the slot of the job's channel.
  const key = (jobId: string): string => `${prefix}:{${jobChannel(jobId)}}:webhook`;
  return {
    async add(jobId, webhook, delayMs = 0) {
      await redis.set(key(jobId), JSON.stringify(webhook), 'PX', delayMs + WAIT_MS);
    },
    async get(jobId) {
      const found = await redis.get(key(jobId));
      const webhook = parseForeign(found ?? undefined) as Webhook | undefined;
      // What cannot be read calls nobody, and is no reason not to tell the job's end.
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
