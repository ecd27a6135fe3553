import { z } from 'zod';
import { TERMINAL_STATES } from './states.js';
import { isWebhookSecret, SECRET_FORM } from './webhook-secret.js';

const MAX_URL = 2048;

/** `options.webhook` of `POST /v1/jobs`: whom to call when the job has come to its end. */
export const webhookSchema = z.strictObject({
  url: z
    .string()
    .max(MAX_URL, `must be at most ${MAX_URL} characters`)
    .describe('https, with a host that `WEBHOOK_HOSTS` allows'),
  secret: z
    .string()
    .refine(isWebhookSecret, SECRET_FORM)
    .optional()
    .describe('Signs the calls: `whsec_` and 24 to 64 bytes in base64'),
  events: z
    .array(z.enum(TERMINAL_STATES))
    .min(1, 'must name one event at least; leave it out for all')
    .max(TERMINAL_STATES.length)
    .default([...TERMINAL_STATES]),
});
