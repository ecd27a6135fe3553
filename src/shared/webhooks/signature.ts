import { createHmac } from 'node:crypto';
import { secretKey } from '../jobs/webhook-option.js';

/**
 * Returns the headers with which a receiver verifies a call (Standard Webhooks 1.0.0, "Signature scheme" and "Webhook
 * headers").
 * @param id id of the message: the same for every attempt, without a full stop
 * @param secret `whsec_` and the key in base64
 * @param now time of this attempt in ms since 1970
 */
export function signedHeaders(id: string, body: string, secret: string, now: number): Record<string, string> {
  const timestamp = Math.floor(now / 1000);
  const mac = createHmac('sha256', secretKey(secret)).update(`${id}.${timestamp}.${body}`);
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': `v1,${mac.digest('base64')}`,
  };
}
