import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { signUserToken, type TokenUser } from '../../shared/auth/user-token.js';
import { type Config, readConfig } from '../../shared/process/config.js';
import { CliError } from './problem.js';

/**
 * Signs the token of a user for the service that has this configuration.
 * @throws ConfigError; CliError when there is no secret to sign with
 */
export async function signUser(user: TokenUser, env = process.env): Promise<string> {
  const config = readConfig(env);
  return signUserToken(await userSecret(config), config, user);
}

/**
 * The secret that signs the tokens of users: `JWT_SECRET`, `TOKEN_SECRET`, or what the service has made for itself in
 * its data folder. None is made here: one that the service does not know would open nothing.
 * @throws CliError that says where it was looked for
 */
async function userSecret(config: Config): Promise<string> {
  const configured = config.JWT_SECRET || config.TOKEN_SECRET;
  if (configured) return configured;
  const file = join(config.DATA_DIR, 'token-secret');
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (error) {
    throw new CliError(
      `there is no secret to sign with: set JWT_SECRET or TOKEN_SECRET as the service has it, or DATA_DIR to its data folder (${file}: ${(error as NodeJS.ErrnoException).code})`,
    );
  }
}
