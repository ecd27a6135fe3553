import type { Config } from '../../shared/process/config.js';
import { keptSecrets } from '../../shared/process/kept-secret.js';
import type { Logger } from '../../shared/process/log.js';
import type { Secrets } from '../../shared/process/secret-list.js';
import { StartError } from '../../shared/start-error.js';

/**
 * Returns the configured signing secrets, or one that is generated once and stored in the data folder.
 * @throws StartError when none is configured in production, where all API processes need the same secrets
 */
export async function signingSecrets(
  config: Config,
  production: boolean,
  log: Pick<Logger, 'warn'>,
): Promise<Secrets> {
  if (production && config.TOKEN_SECRET.length === 0) {
    throw new StartError(
      'TOKEN_SECRET: must be set with NODE_ENV=production (32 bytes or more, e.g. openssl rand -hex 32)',
    );
  }
  return configured(config.TOKEN_SECRET) ?? (await keptSecrets(config.DATA_DIR, 'token-secret', log));
}

/** Returns the shared secrets for user tokens. @param own used when `JWT_SECRET` is empty */
export const userSecrets = (config: Config, own: Secrets): Secrets => configured(config.JWT_SECRET) ?? own;

/**
 * Returns the configured admin tokens, or one that is generated once and stored in the data folder. In production, only
 * configured tokens are used.
 */
export async function adminTokens(
  config: Config,
  production: boolean,
  log: Pick<Logger, 'warn'>,
): Promise<readonly string[]> {
  if (config.ADMIN_TOKEN.length > 0) return config.ADMIN_TOKEN;
  return production ? [] : keptSecrets(config.DATA_DIR, 'admin-token', log);
}

function configured([newest, ...others]: string[]): Secrets | undefined {
  return newest === undefined ? undefined : [newest, ...others];
}
