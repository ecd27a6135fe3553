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
      'The same tokens, except API keys and `ADMIN_TOKEN`, for `EventSource`, which cannot send headers. Removed from logs.',
  },
  userCookie: {
    type: 'apiKey',
    in: 'cookie',
    name: 'headway_token',
    description:
      'The JWT of a user. Over TLS, the name must be `__Host-headway_token`, or `__Secure-headway_token` below a path.',
  },
  visitorCookie: {
    type: 'apiKey',
    in: 'cookie',
    name: 'headway_visitor',
    description:
      'Identifies a visitor without a token, who may access the jobs that the visitor started. Set by the first 202. Over TLS, the name is `__Host-headway_visitor`, or `__Secure-headway_visitor` below a path.',
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
  job: ['bearer', 'query', 'userCookie', 'visitorCookie', 'basic'],
  granted: ['bearer', 'query', 'userCookie', 'basic'],
  admin: ['bearer', 'query', 'userCookie', 'basic'],
};

/** Returns the Security Requirement Objects of an operation. Any one of them is sufficient. */
export function securityOf(access: AccessKind): Array<Partial<Record<Scheme, string[]>>> {
  // An empty object makes authentication optional.
  const without = access === 'caller' || access === 'granted' ? [{}] : [];
  return [...without, ...SCHEMES[access].map((scheme) => ({ [scheme]: [] }))];
}
