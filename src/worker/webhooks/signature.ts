import { createHmac } from 'node:crypto';
import { secretKey } from '../../shared/jobs/webhook-option.js';

/**
 * The headers that let a receiver know a call (Standard Webhooks 1.0.0, "Signature scheme" and "Webhook headers").
 * @param id the same for every attempt, without a full stop
 * @param secret `whsec_…`
 * @param now the time of this attempt, ms since 1970
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
