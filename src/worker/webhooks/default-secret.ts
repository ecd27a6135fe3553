import { randomBytes } from 'node:crypto';
import type { Config } from '../../shared/process/config.js';
import { keptSecret } from '../../shared/process/kept-secret.js';

/**
 * The secret of webhooks that bring none of their own: configured, or made once and kept in the data folder; in
 * production, where every worker must have the same, only what is configured.
 * @throws StartError when the folder cannot be written
 */
export async function defaultSecret(
  config: Pick<Config, 'WEBHOOK_HOSTS' | 'WEBHOOK_SECRET' | 'DATA_DIR'>,
  production: boolean,
): Promise<string | undefined> {
  if (config.WEBHOOK_SECRET) return config.WEBHOOK_SECRET;
  if (production || !config.WEBHOOK_HOSTS) return undefined;
  return keptSecret(config.DATA_DIR, 'webhook-secret', () => `whsec_${randomBytes(32).toString('base64')}`);
}
