import { createHmac } from 'node:crypto';
import { secretKey } from '../jobs/webhook-option.js';

/**
 * Returns the headers with which a receiver verifies a call (Standard Webhooks 1.0.0, "Signature scheme" and "Webhook
 * headers").
 * @param id id of the message: the same for every attempt, without a full stop
 * @param secrets each is `whsec_` and the key in base64. There is one signature per secret, and a receiver accepts the call
 *   if it can verify any of them, so secrets can be replaced.
 * @param now time of this attempt in ms since 1970
 */
export function signedHeaders(
  id: string,
  body: string,
  secrets: readonly string[],
  now: number,
): Record<string, string> {
  const timestamp = Math.floor(now / 1000);
  const signatures = secrets.map((secret) => {
    const mac = createHmac('sha256', secretKey(secret)).update(`${id}.${timestamp}.${body}`);
    return `v1,${mac.digest('base64')}`;
  });
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signatures.join(' '),
  };
}
