import { randomBytes } from 'node:crypto';
import type { Config } from '../../shared/process/config.js';
import { keptSecrets } from '../../shared/process/kept-secret.js';
import type { Logger } from '../../shared/process/log.js';

/**
 * Returns the secrets for webhooks without their own: the configured ones, or one that is created once and stored in the
 * data folder; none if webhooks are off. In production only configured secrets are used, because all workers need the same
 * ones.
 * @throws StartError if the folder is not writable
 */
export async function defaultSecrets(
  config: Pick<Config, 'WEBHOOK_HOSTS' | 'WEBHOOK_SECRET' | 'DATA_DIR'>,
  production: boolean,
  log: Pick<Logger, 'warn'>,
): Promise<readonly string[]> {
  if (config.WEBHOOK_SECRET.length > 0) return config.WEBHOOK_SECRET;
  if (production || !config.WEBHOOK_HOSTS) return [];
  const make = (): string => `whsec_${randomBytes(32).toString('base64')}`;
  return keptSecrets(config.DATA_DIR, 'webhook-secret', log, make);
}
