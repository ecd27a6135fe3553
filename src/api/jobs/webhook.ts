import { z } from 'zod';
import { HeadwayError } from '../../shared/errors.js';
import { jobLinks } from '../../shared/job-view.js';
import { isFinished, type JobSnapshot, type SnapshotReader } from '../../shared/lifecycle/snapshot.js';
import { deliveryId } from '../../shared/webhooks/delivery.js';
import { isWebhookSecret, SECRET_FORM } from '../../shared/webhooks/secret.js';
import { WEBHOOK_EVENTS } from '../../shared/webhooks/store.js';
import { urlRefusal, type WebhookPolicy } from '../../shared/webhooks/target.js';

const MAX_URL = 2048;

/** `options.webhook` of `POST /v1/jobs`: whom to call when the job has come to its end. */
export const webhookSchema = z.strictObject({
  url: z.string().max(MAX_URL, `must be at most ${MAX_URL} characters`),
  secret: z.string().refine(isWebhookSecret, SECRET_FORM).optional(),
  events: z
    .array(z.enum(WEBHOOK_EVENTS))
    .min(1, 'must name one event at least; leave it out for all')
    .max(WEBHOOK_EVENTS.length)
    .default([...WEBHOOK_EVENTS]),
});

/** What an API process allows of webhooks. */
export interface WebhookRules extends WebhookPolicy {
  /** Each webhook has to bring its own secret, since there is none for all. */
  ownSecret: boolean;
}

/** @throws HeadwayError `invalid-request` for a webhook that could never be called */
export function checkWebhook(webhook: z.output<typeof webhookSchema> | undefined, rules: WebhookRules): void {
  if (!webhook) return;
  if (rules.hosts.length === 0) {
    refuse('', 'webhooks are off here: the operator turns them on with the setting WEBHOOK_HOSTS');
  }
  const refusal = urlRefusal(webhook.url, rules);
  if (refusal) refuse('/url', refusal);
  if (rules.ownSecret && !webhook.secret) {
    refuse('/secret', `is needed, since the setting WEBHOOK_SECRET is empty; it ${SECRET_FORM}`);
  }
}

function refuse(field: string, detail: string): never {
  const pointer = `/options/webhook${field}`;
  throw new HeadwayError('invalid-request', `${pointer}: ${detail}`, [{ pointer, detail }]);
}

/** The delivery that tells of a job's present end, where there is one: what `GET /v1/jobs/:id` says of it. */
export async function deliveryView(
  job: JobSnapshot,
  readJob: SnapshotReader,
): Promise<{ webhook?: Record<string, unknown> }> {
  if (!job.settings.webhook || !isFinished(job)) return {};
  const delivery = await readJob(deliveryId(job));
  if (!delivery) return {};
  const { id, state, attempt } = delivery;
  return { webhook: { id, state, attempt, links: jobLinks(id) } };
}
