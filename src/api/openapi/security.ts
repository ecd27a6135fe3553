/**
 * The access that an operation requires.
 * - `open`: none; the caller is not identified
 * - `caller`: none, as far as `ANONYMOUS` allows that; the caller is identified by any of them
 * - `job`: the token of the job, or the identity of the caller who started it, or an admin
 * - `granted`: a token or a rule that allows it
 * - `admin`: an admin
 */
export type AccessKind = 'open' | 'caller' | 'job' | 'granted' | 'admin';

/** The ways to authenticate, by component name. */
export const securitySchemes = {
  bearer: {
    type: 'http',
    scheme: 'bearer',
    description:
      'The token of a job (from the 202 that started it) or of its parent, the JWT of a user, an API key, or `ADMIN_TOKEN`.',
  },
  query: {
    type: 'apiKey',
    in: 'query',
    name: 'token',
    description:
      'The same tokens, except API keys, for `EventSource`, which cannot send headers. Removed from logs.',
  },
  jobCookie: {
    type: 'apiKey',
    in: 'cookie',
    name: 'headway_job',
    description: 'The token of a job, set by the 202 that started it.',
  },
  userCookie: {
    type: 'apiKey',
    in: 'cookie',
    name: 'headway_token',
    description: 'The JWT of a user. Prefer the name `__Host-headway_token` over TLS.',
  },
  visitorCookie: {
    type: 'apiKey',
    in: 'cookie',
    name: 'headway_visitor',
    description: 'Identifies a visitor without a token. Set by the first 202.',
  },
  basic: {
    type: 'http',
    scheme: 'basic',
    description: 'Admins only: any user name, with `ADMIN_TOKEN` as the password.',
  },
} as const;

type Scheme = keyof typeof securitySchemes;

const SCHEMES: Record<AccessKind, Scheme[]> = {
  open: [],
  caller: ['bearer', 'query', 'userCookie', 'visitorCookie', 'basic'],
  job: ['bearer', 'query', 'jobCookie', 'userCookie', 'visitorCookie', 'basic'],
  granted: ['bearer', 'query', 'userCookie', 'basic'],
  admin: ['bearer', 'query', 'userCookie', 'basic'],
};

/** Returns the Security Requirement Objects of an operation. Any one of them is sufficient. */
export function securityOf(access: AccessKind): Array<Partial<Record<Scheme, string[]>>> {
  // An empty object makes authentication optional.
  const without = access === 'caller' || access === 'granted' ? [{}] : [];
  return [...without, ...SCHEMES[access].map((scheme) => ({ [scheme]: [] }))];
}
