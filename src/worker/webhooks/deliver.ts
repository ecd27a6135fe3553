import { PermanentError } from '../../shared/errors.js';
import { serverNow } from '../../shared/redis/server-clock.js';
import { messageId } from '../../shared/webhooks/delivery.js';
import type { WebhookStore } from '../../shared/webhooks/store.js';
import type { WebhookPolicy } from '../../shared/webhooks/target.js';
import { post } from './post.js';
import { signedHeaders } from './signature.js';

/** One delivery: the job that makes it, the job that it tells of, and the body. */
export interface Delivery {
  id: string;
  job: string;
  body: string;
}

/**
 * Calls a job's webhook once.
 * @returns the status of the answer
 * @throws PermanentError when nobody may or can be called; Error when there was no answer
 */
export type Deliver = (delivery: Delivery, signal: AbortSignal) => Promise<number>;

export interface DeliverOptions {
  store: WebhookStore;
  policy: WebhookPolicy;
  /** Signs where the webhook has no secret of its own. */
  secret: string | undefined;
  timeoutMs: number;
}

export function createDeliver({ store, policy, secret, timeoutMs }: DeliverOptions): Deliver {
  return async ({ id, job, body }, signal) => {
    const webhook = await store.get(job);
    if (!webhook) throw new PermanentError('nobody knows any more whom to call: it is too long ago');
    const key = webhook.secret ?? secret;
    // Mended by setting it, so that another attempt helps.
    if (!key) throw new Error('this worker has nothing to sign with: WEBHOOK_SECRET is not set');
    const headers = {
      'Content-Type': 'application/json',
      'User-Agent': 'Headway',
      ...signedHeaders(messageId(id), body, key, serverNow()),
    };
    return post({ url: webhook.url, headers, body, policy, timeoutMs, signal });
  };
}
