import { createSecretKey, randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errors, jwtVerify, SignJWT } from 'jose';
import type { Config } from '../shared/config.js';
import { HeadwayError } from '../shared/errors.js';
import { StartError } from '../shared/process.js';

const AUDIENCE = 'headway:job';

/** Signs and checks the capability tokens of jobs: JWTs (RFC 7519) that say which job may be seen, and nothing else. */
export interface Tokens {
  /** A token for one job. */
  sign(jobId: string): Promise<string>;
  /**
   * The id of the job that a token opens.
   * @throws HeadwayError `invalid-token`
   */
  verify(token: string): Promise<string>;
}

export function createTokens(secret: string, ttlMs: number): Tokens {
  const key = createSecretKey(Buffer.from(secret));
  return {
    sign(jobId) {
      return new SignJWT()
        .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
        .setSubject(jobId)
        .setAudience(AUDIENCE)
        .setExpirationTime(new Date(Date.now() + ttlMs))
        .sign(key);
    },
    async verify(token) {
      try {
        const { payload } = await jwtVerify(token, key, { audience: AUDIENCE, algorithms: ['HS256'] });
        return payload.sub ?? '';
      } catch (error) {
        const detail =
          error instanceof errors.JWTExpired
            ? 'The token has expired.'
            : 'The token was not made by this service, or was changed.';
        throw new HeadwayError('invalid-token', detail);
      }
    },
  };
}

/**
 * The signing secret: configured, or made once and kept in the data folder.
 * @throws StartError when it is not configured in production, where every API process must have the same
 */
export async function signingSecret(config: Config, production: boolean): Promise<string> {
  if (config.TOKEN_SECRET) return config.TOKEN_SECRET;
  if (production) {
    throw new StartError(
      'TOKEN_SECRET: must be set with NODE_ENV=production (32 bytes or more, e.g. openssl rand -hex 32)',
    );
  }
  const file = join(config.DATA_DIR, 'token-secret');
  try {
    await mkdir(config.DATA_DIR, { recursive: true });
    // Two processes that start at once end with the same secret, and neither reads half of one.
    const draft = `${file}.${randomBytes(6).toString('hex')}`;
    await writeFile(draft, randomBytes(32).toString('hex'), { flag: 'wx', mode: 0o600 });
    await link(draft, file).finally(() => rm(draft));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
      throw new StartError(`DATA_DIR: ${file} cannot be written (${(error as NodeJS.ErrnoException).code})`);
    }
  }
  const secret = (await readFile(file, 'utf8')).trim();
  if (Buffer.byteLength(secret) < 32)
    throw new StartError(`${file} is damaged: delete it, and every token becomes invalid`);
  return secret;
}
