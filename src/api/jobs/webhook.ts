import type { z } from 'zod';
import { jobLinks } from '../../shared/jobs/links.js';
import type { webhookSchema } from '../../shared/jobs/webhook-option.js';
import { SECRET_FORM } from '../../shared/jobs/webhook-option.js';
import { isFinished, type JobSnapshot, type SnapshotReader } from '../../shared/lifecycle/snapshot.js';
import { deliveryId } from '../../shared/webhooks/delivery.js';
import { urlRefusal, type WebhookPolicy } from '../../shared/webhooks/target.js';
import { invalid } from '../http/invalid.js';

/** The rules for webhooks of an API process. */
export interface WebhookRules extends WebhookPolicy {
  /** Whether each webhook needs its own secret, because there is no default secret. */
  ownSecret: boolean;
}

/** Checks the option `webhook`. @throws HeadwayError `invalid-request` for a webhook that could never be delivered */
export function checkWebhook(webhook: z.output<typeof webhookSchema> | undefined, rules: WebhookRules): void {
  if (!webhook) return;
  if (rules.hosts.length === 0) {
    refuse('', 'webhooks are disabled; the operator enables them with the setting WEBHOOK_HOSTS');
  }
  const refusal = urlRefusal(webhook.url, rules);
  if (refusal) refuse('/url', refusal);
  if (rules.ownSecret && !webhook.secret) {
    refuse('/secret', `is required, because the setting WEBHOOK_SECRET is empty; it ${SECRET_FORM}`);
  }
}

function refuse(field: string, detail: string): never {
  const pointer = `/options/webhook${field}`;
  throw invalid([{ pointer, detail }]);
}

/**
 * Returns the `webhook` member of `GET /v1/jobs/:id`: the delivery that reports the current end of the job, if any.
 * @param base as for {@link jobLinks}
 */
export async function deliveryView(
  job: JobSnapshot,
  readJob: SnapshotReader,
  base: string,
): Promise<{ webhook?: Record<string, unknown> }> {
  if (!job.settings.webhook || !isFinished(job)) return {};
  const delivery = await readJob(deliveryId(job));
  if (!delivery) return {};
  const { id, state, attempt } = delivery;
  return { webhook: { id, state, attempt, links: jobLinks(id, base) } };
}
