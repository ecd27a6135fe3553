import { z } from 'zod';
import { isWebhookSecret, SECRET_FORM } from './secret.js';
import { WEBHOOK_EVENTS } from './store.js';

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
