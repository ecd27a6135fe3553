import type { Authorize } from '../shared/auth/authorize.js';
import type { TombstoneReader } from '../shared/job-index/tombstones.js';
import type { Config } from '../shared/process/config.js';
import type { Logger } from '../shared/process/log.js';
import { createAccess } from './auth/access.js';
import { createAdminTokens } from './auth/admin-tokens.js';
import type { AnonymousMode } from './auth/anonymous.js';
import { createApiKeys } from './auth/api-keys.js';
import { askOf, loadAuthorize } from './auth/hook.js';
import { userKeys } from './auth/keys.js';
import { createShardCheck } from './auth/known-shard.js';
import { createRevocations } from './auth/revocations.js';
import { adminTokens, signingSecrets, userSecrets } from './auth/secrets.js';
import { createAdminSession, createTokens } from './auth/tokens.js';
import { createPermissions } from './channels/permission.js';
import { readRules } from './channels/rules.js';
import type { Core } from './core.js';
import { createCredentialLimits } from './limits/credentials.js';

export interface SecretsOptions {
  config: Config;
  /** The authorization hook. Defaults to the code of `AUTHORIZE_MODULE`. */
  authorize?: Authorize | undefined;
  log: Logger;
}

/**
 * Reads the secrets, keys, rules and code that the configuration names.
 * @throws StartError for one that is missing or cannot be read
 */
export async function readSecrets({ config, authorize, log }: SecretsOptions, production: boolean) {
  const signing = await signingSecrets(config, production, log);
  return {
    signing,
    adminTokens: await adminTokens(config, production, log),
    keys: await userKeys(config, signing),
    rules: await readRules(config.CHANNEL_RULES),
    ask: askOf(authorize ?? (await loadAuthorize(config.AUTHORIZE_MODULE)), log),
  };
}

type Secrets = Awaited<ReturnType<typeof readSecrets>>;
export type Auth = ReturnType<typeof openAuth>;

/** Opens the parts that decide what a caller may do. */
export function openAuth(
  { config, connection, limiter, log }: Pick<Core, 'config' | 'connection' | 'limiter' | 'log'>,
  secrets: Secrets,
  readTombstone: TombstoneReader,
  anonymous: AnonymousMode,
) {
  const { redis, keyspace } = connection;
  const apiKeys = createApiKeys(redis, keyspace);
  const revocations = createRevocations(redis, keyspace, apiKeys);
  const secretsOfUsers = userSecrets(config, secrets.signing);
  const adminTokens = createAdminTokens(secrets.adminTokens, secretsOfUsers);
  const access = createAccess({
    tokens: createTokens({
      secrets: secrets.signing,
      ttlMs: config.TOKEN_TTL_MS,
      keys: secrets.keys,
      audience: config.JWT_AUDIENCE,
      issuer: config.JWT_ISSUER,
      adminTokens,
    }),
    apiKeys,
    revocations,
    ask: secrets.ask,
    anonymous,
    adminTokens,
    limits: createCredentialLimits(limiter, config),
    hasKnownShard: createShardCheck(redis, keyspace),
    readJob: connection.readJob,
    readTombstone,
    log,
  });
  return {
    access,
    apiKeys,
    revocations,
    permissions: createPermissions(secrets.rules, secrets.ask),
    adminSession: createAdminSession(config, secretsOfUsers),
  };
}
