import { z } from 'zod';

/** A limit: a whole number; `0` turns it off. */
const limit = (preset: number, description: string, max = Number.MAX_SAFE_INTEGER) =>
  z.coerce
    .number()
    .int()
    .min(0)
    .max(max)
    .default(preset)
    .describe(`${description} \`0\` turns the limit off.`);

/** The settings that limit what one caller may use. docs/operations/limits.md explains them. */
export const limitSettings = {
  LIMIT_LOOPBACK: z
    .enum(['auto', 'on', 'off'])
    .default('auto')
    .describe(
      'How callers from this machine (loopback addresses) are limited. `on`: like all others. `off`: not at all. `auto`: like all others with `NODE_ENV=production`; otherwise those without a token have the limits of a user, where these are higher. Set `off` behind a proxy on this machine only if it sends `X-Forwarded-For`.',
    ),
  LIMIT_REQUESTS_ANONYMOUS: limit(
    600,
    'Maximum number of requests per minute from one address (IPv6: one /64 network) without a token. Streams, files of the pages and health checks do not count.',
  ),
  LIMIT_REQUESTS_USER: limit(3000, 'Maximum number of requests per minute of one user.'),
  LIMIT_REQUESTS_KEY: limit(60_000, 'Maximum number of requests per minute with one API key.'),
  LIMIT_JOBS_ANONYMOUS: limit(
    100,
    'Maximum number of unfinished jobs (waiting, delayed or active) started without a token from one address, at most 10,000.',
    10_000,
  ),
  LIMIT_JOBS_USER: limit(5000, 'Maximum number of unfinished jobs of one user.'),
  LIMIT_JOBS_KEY: limit(1_000_000, 'Maximum number of unfinished jobs of the owner of an API key.'),
  LIMIT_ACTIVE_JOBS_ANONYMOUS: limit(
    20,
    'Maximum number of active jobs with which an address may start another one without a token.',
  ),
  LIMIT_ACTIVE_JOBS_USER: limit(
    500,
    'Maximum number of active jobs with which a user may start another one.',
  ),
  LIMIT_ACTIVE_JOBS_KEY: limit(
    0,
    'Maximum number of active jobs with which the owner of an API key may start another one.',
  ),
  LIMIT_SCHEDULES_ANONYMOUS: limit(5, 'Maximum number of schedules made without a token from one address.'),
  LIMIT_SCHEDULES_USER: limit(200, 'Maximum number of schedules of one user.'),
  LIMIT_SCHEDULES_KEY: limit(10_000, 'Maximum number of schedules of the owner of an API key.'),
  LIMIT_INTERVAL_ANONYMOUS_MS: limit(
    60_000,
    'Minimum time between two runs of a schedule made without a token, in ms.',
  ),
  LIMIT_SIGN_INS: limit(
    10,
    'Maximum number of failed admin sign-ins from one address in 15 minutes. The fourth and later ones are delayed.',
  ),
  LIMIT_BAD_TOKENS: limit(
    120,
    'Maximum number of requests per minute with an invalid token or API key from one address.',
  ),
};
