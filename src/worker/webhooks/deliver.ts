import { PermanentError } from '../../shared/errors.js';
import { webhookCalls, webhookDuration } from '../../shared/metrics/job-metrics.js';
import { serverNow } from '../../shared/redis/server-clock.js';
import { tracing } from '../../shared/tracing/tracing.js';
import { messageId } from '../../shared/webhooks/delivery.js';
import { signedHeaders } from '../../shared/webhooks/signature.js';
import type { WebhookStore } from '../../shared/webhooks/store.js';
import type { WebhookPolicy } from '../../shared/webhooks/target.js';
import { post } from './post.js';

/** One delivery. */
export interface Delivery {
  /** Id of the job that makes the delivery. */
  id: string;
  /** Id of the finished job. */
  job: string;
  body: string;
}

/**
 * Calls a job's webhook once.
 * @returns the HTTP status of the response
 * @throws PermanentError if the webhook is unknown or its address is not allowed
 * @throws Error if there was no response
 */
export type Deliver = (delivery: Delivery, signal: AbortSignal) => Promise<number>;

export interface DeliverOptions {
  store: WebhookStore;
  policy: WebhookPolicy;
  /** Each of them signs deliveries of webhooks without their own secret. */
  secrets: readonly string[];
  timeoutMs: number;
}

/** What becomes of a call: a status of 2xx, another one, no response. */
const OUTCOMES = ['delivered', 'rejected', 'failed'] as const;

export function createDeliver({ store, policy, secrets, timeoutMs }: DeliverOptions): Deliver {
  webhookCalls.beginAtZero(OUTCOMES);
  return async ({ id, job, body }, signal) => {
    const webhook = await store.get(job);
    if (!webhook) throw new PermanentError('the webhook has expired');
    const signing = webhook.secret ? [webhook.secret] : secrets;
    // Not permanent: another attempt succeeds once the secret is set.
    if (signing.length === 0)
      throw new Error('cannot sign the call: WEBHOOK_SECRET is not set in this worker');
    const headers = {
      'Content-Type': 'application/json',
      'User-Agent': 'Headway',
      ...(webhook.requestId ? { 'X-Request-Id': webhook.requestId } : {}),
      ...signedHeaders(messageId(id), body, signing, serverNow()),
    };
    const send = (traced: Record<string, string>): Promise<number> =>
      post({ url: webhook.url, headers: { ...headers, ...traced }, body, policy, timeoutMs, signal });
    const active = tracing();
    return counted(() => (active ? active.call({ 'server.address': hostOf(webhook.url) }, send) : send({})));
  };
}

const hostOf = (url: string): string => (URL.canParse(url) ? new URL(url).hostname : '');

/** Makes a call, and counts its outcome and duration. */
async function counted(call: () => Promise<number>): Promise<number> {
  const began = performance.now();
  let outcome: (typeof OUTCOMES)[number] = 'failed';
  try {
    const status = await call();
    outcome = status >= 200 && status <= 299 ? 'delivered' : 'rejected';
    return status;
  } finally {
    webhookCalls.at(outcome).value++;
    webhookDuration.only.observe((performance.now() - began) / 1000);
  }
}
