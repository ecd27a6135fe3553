import { z } from 'zod';
import { TERMINAL_STATES } from './states.js';

const MAX_URL = 2048;

/** The required form of a secret, as part of an error message. */
export const SECRET_FORM =
  'must be whsec_ and 24 to 64 random bytes in base64, e.g. echo "whsec_$(openssl rand -base64 32)"';

/** Returns whether a text is a secret in the form of Standard Webhooks 1.0.0, "Signature scheme". */
export function isWebhookSecret(text: string): boolean {
  if (!/^whsec_[A-Za-z0-9+/]+={0,2}$/.test(text)) return false;
  const { length } = secretKey(text);
  return length >= 24 && length <= 64;
}

/** Decodes the key in a secret. */
export const secretKey = (secret: string): Buffer => Buffer.from(secret.slice('whsec_'.length), 'base64');

/** The option `webhook` of `POST /v1/jobs`: the URL to call when the job ends. */
export const webhookSchema = z.strictObject({
  url: z
    .string()
    .max(MAX_URL, `must be at most ${MAX_URL} characters`)
    .describe('An https URL with a host that `WEBHOOK_HOSTS` allows'),
  secret: z
    .string()
    .refine(isWebhookSecret, SECRET_FORM)
    .optional()
    .describe('The signing secret: `whsec_` and 24 to 64 bytes in base64'),
  events: z
    .array(z.enum(TERMINAL_STATES))
    .min(1, 'must name at least one event; omit it for all')
    .max(TERMINAL_STATES.length)
    .default([...TERMINAL_STATES]),
});
