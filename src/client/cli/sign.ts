import { createSecretKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { type Config, readConfig } from '../../shared/config.js';
import { CliError } from './problem.js';

/** Who the bearer of a token is, and what it allows. */
export interface User {
  sub: string;
  tenant?: string | undefined;
  admin?: boolean | undefined;
  /** Patterns of channels. */
  subscribe?: string[] | undefined;
  publish?: string[] | undefined;
  /** The kinds of job that it may start; `undefined`: all. */
  jobs?: string[] | undefined;
  /** How long it is valid, ms. */
  expiresMs: number;
}

/**
 * Signs the token of a user (RFC 7519, HS256), for the service that has this configuration.
 * @throws ConfigError; CliError when there is no secret to sign with
 */
export async function signUser(user: User, env = process.env): Promise<string> {
  const config = readConfig(env);
  const { sub, tenant, admin, subscribe, publish, jobs, expiresMs } = user;
  const headway = { admin, subscribe, publish, jobs };
  const allows = Object.values(headway).some((value) => value !== undefined);
  const token = new SignJWT({ ...(tenant ? { tenant } : {}), ...(allows ? { headway } : {}) })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject(sub)
    .setAudience(config.JWT_AUDIENCE)
    .setIssuedAt()
    .setExpirationTime(new Date(Date.now() + expiresMs));
  if (config.JWT_ISSUER) token.setIssuer(config.JWT_ISSUER);
  return token.sign(createSecretKey(Buffer.from(await userSecret(config))));
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
