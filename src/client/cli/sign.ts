import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { signUserToken, type TokenUser } from '../../shared/auth/user-token.js';
import { type Config, readConfig } from '../../shared/process/config.js';
import { secretLines } from '../../shared/process/secret-files.js';
import { CliError } from './problem.js';

/**
 * Signs a user token for the service with this configuration.
 * @throws ConfigError; CliError when there is no secret
 */
export async function signUser(user: TokenUser, env = process.env): Promise<string> {
  const config = readConfig(env);
  return signUserToken(await userSecret(config), config, user);
}

/**
 * Returns the secret that signs user tokens: `JWT_SECRET`, `TOKEN_SECRET`, or the one that the service generated in its
 * data folder. Never generates one: the service would not accept tokens signed with it.
 * @throws CliError when there is no secret; it names the places that were searched
 */
async function userSecret(config: Config): Promise<string> {
  const [configured] = [...config.JWT_SECRET, ...config.TOKEN_SECRET];
  if (configured !== undefined) return configured;
  const file = join(config.DATA_DIR, 'token-secret');
  try {
    const [newest = ''] = secretLines(await readFile(file));
    return newest;
  } catch (error) {
    throw new CliError(
      `no secret to sign with: set JWT_SECRET or TOKEN_SECRET as for the service, or DATA_DIR to its data folder (${file}: ${(error as NodeJS.ErrnoException).code})`,
    );
  }
}
