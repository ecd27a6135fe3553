/**
 * Who may call an operation. `open`: anybody, and who it is does not matter. `caller`: anybody; what is seen or made is
 * the caller's. `job`: who has the job's token, or started it, or is an admin. `granted`: whom a token or a rule allows
 * it. `admin`: an admin.
 */
export type AccessKind = 'open' | 'caller' | 'job' | 'granted' | 'admin';

/** The ways to say who is calling, by their names in the document. */
export const securitySchemes = {
  bearer: {
    type: 'http',
    scheme: 'bearer',
    description:
      'The token of a job (from the 202 that started it), a JWT of a user, or `ADMIN_TOKEN`. Of a job also that of a job above it.',
  },
  query: {
    type: 'apiKey',
    in: 'query',
    name: 'token',
    description: 'The same tokens, for `EventSource`, which can send no header. Logs do not have it.',
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
    description: 'The JWT of a user; over TLS better `__Host-headway_token`.',
  },
  visitorCookie: {
    type: 'apiKey',
    in: 'cookie',
    name: 'headway_visitor',
    description: 'A visitor of whom nothing else is known, set by the first 202.',
  },
  basic: {
    type: 'http',
    scheme: 'basic',
    description: 'An admin: any name, and `ADMIN_TOKEN` as the password.',
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

/** The Security Requirement Objects of an operation: any one of them will do. */
export function securityOf(access: AccessKind): Array<Partial<Record<Scheme, string[]>>> {
  // An empty one says that it also goes without.
  const without = access === 'caller' || access === 'granted' ? [{}] : [];
  return [...without, ...SCHEMES[access].map((scheme) => ({ [scheme]: [] }))];
}
