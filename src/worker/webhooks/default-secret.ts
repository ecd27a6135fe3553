import { randomBytes } from 'node:crypto';
import type { Config } from '../../shared/process/config.js';
import { keptSecret } from '../../shared/process/kept-secret.js';

/**
 * Returns the secret for webhooks without their own: the configured one, or one that is created once and stored in the data
 * folder. In production only a configured secret is used, because all workers need the same one.
 * @throws StartError if the folder is not writable
 */
export async function defaultSecret(
  config: Pick<Config, 'WEBHOOK_HOSTS' | 'WEBHOOK_SECRET' | 'DATA_DIR'>,
  production: boolean,
): Promise<string | undefined> {
  if (config.WEBHOOK_SECRET) return config.WEBHOOK_SECRET;
  if (production || !config.WEBHOOK_HOSTS) return undefined;
  return keptSecret(config.DATA_DIR, 'webhook-secret', () => `whsec_${randomBytes(32).toString('base64')}`);
}
