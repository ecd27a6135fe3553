import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Request, Response } from 'express';
import { HeadwayError } from '../../shared/errors.js';
import type { GoneReader } from '../../shared/job-index/gone.js';
import type { SnapshotReader } from '../../shared/lifecycle/snapshot.js';
import { basicPassword, bearer, cookies, jobTokens, queryTokens } from './credentials.js';
import type { Claim, Grants, Tokens } from './tokens.js';

const JOB_COOKIE = 'headway_job';
const VISITOR_COOKIE = 'headway_visitor';
/** The token of a user, for `EventSource` with credentials; the first only over TLS. */
const TOKEN_COOKIES = ['__Host-headway_token', 'headway_token'];

/** Somebody whose jobs belong together. */
export interface Principal {
  /** `user:<sub>` of a token, `visitor:<digest>` of a cookie, or `admin`. */
  id: string;
  /** Known by name, and not only by a cookie that the first call was given. */
  signedIn: boolean;
  /** May see and do everything. */
  admin: boolean;
  sub?: string | undefined;
  tenant?: string | undefined;
  /** What its token allows. */
  grants: Grants;
  /** When what it came with is no longer valid, ms since 1970. */
  expiresAt?: number;
}

/** Nothing beside what everybody may. */
export const NO_GRANTS: Grants = { subscribe: [], publish: [] };

/** Who may do what. */
export interface Access {
  /** Who is calling, as far as the request says. @throws HeadwayError `invalid-token` */
  principal(req: Request): Promise<Principal | undefined>;
  /** As {@link principal}; a caller that nothing is known of becomes a visitor, by a cookie. */
  admit(req: Request, res: Response): Promise<Principal>;
  /**
   * Lets a request pass to a job (that of its path unless another is given) that carries the job's token
   * (`Authorization: Bearer`, `?token=`, or the cookie) or that of the job it serves or of a job above it, or comes from
   * who started the job, or from an admin.
   * @returns the job's id
   * @throws HeadwayError `not-found` else, whether the job exists or not; `invalid-token` for a token that is none
   */
  authorize(req: Request, jobId?: string): Promise<string>;
  /** @throws HeadwayError `sign-in` for a caller that is not known to be an admin, `forbidden` for one known not to be */
  requireAdmin(req: Request): Promise<Principal>;
  /** Makes the token of a job. */
  token(jobId: string): Promise<string>;
  /** As {@link token}, and sets the cookie that lets pages of the same site use it. */
  grant(req: Request, res: Response, jobId: string): Promise<string>;
}

/** The same answer for a job that does not exist and one that the caller may not see. */
export const jobNotFound = (): HeadwayError =>
  new HeadwayError('not-found', 'There is no such job, or the token that opens it is missing.');

export interface AccessOptions {
  tokens: Tokens;
  tokenTtlMs: number;
  /** Opens everything; `undefined`: nothing does. */
  adminToken: string | undefined;
  readJob: SnapshotReader;
  readGone: GoneReader;
}

const ADMIN: Principal = { id: 'admin', signedIn: true, admin: true, grants: NO_GRANTS };

export function createAccess({ tokens, tokenTtlMs, adminToken, readJob, readGone }: AccessOptions): Access {
  const isAdminToken = (given: string | undefined): boolean =>
    given !== undefined && adminToken !== undefined && timingSafeEqual(digest(given), digest(adminToken));

  /** What the request's own words say: an admin, the claim of its token, or nothing. */
  async function claimOf(req: Request): Promise<Claim | 'admin' | undefined> {
    const token =
      bearer(req) ?? queryTokens(req)[0] ?? TOKEN_COOKIES.flatMap((name) => cookies(req, name))[0];
    if (isAdminToken(token) || isAdminToken(basicPassword(req))) return 'admin';
    return token === undefined ? undefined : tokens.verify(token);
  }

  /** The claims of `Headway-Job-Tokens`; a request for many jobs has them checked once. */
  const jobClaimsOf = new WeakMap<Request, Promise<Claim[]>>();
  function jobClaims(req: Request): Promise<Claim[]> {
    const known = jobClaimsOf.get(req) ?? Promise.all(jobTokens(req).map((token) => tokens.verify(token)));
    jobClaimsOf.set(req, known);
    return known;
  }

  function principalOf(req: Request, claim: Claim | 'admin' | undefined): Principal | undefined {
    if (claim === 'admin') return ADMIN;
    if (claim && 'subject' in claim) {
      const { subject: sub, tenant, admin, grants, expiresAt } = claim;
      const id = tenant ? `user:${tenant}/${sub}` : `user:${sub}`;
      return { id, signedIn: true, admin, sub, tenant, grants, expiresAt };
    }
    const [visitor] = cookies(req, VISITOR_COOKIE);
    return visitor && /^[\w-]{27}$/.test(visitor) ? visitorPrincipal(visitor) : undefined;
  }

  /** Whether a job was made for another one, or is a child of it or a child's child: it is seen by whoever may see that. */
  const serves = async (jobId: string, other: string): Promise<boolean> => {
    const { of, ancestors } = (await readJob(jobId))?.settings ?? {};
    return of === other || (ancestors?.includes(other) ?? false);
  };
  /** Who started a job, also one that is not kept any more. */
  const ownerOf = async (jobId: string): Promise<string | undefined> => {
    const job = await readJob(jobId);
    return job ? job.settings.owner : (await readGone(jobId))?.owner;
  };

  const principal = async (req: Request): Promise<Principal | undefined> =>
    principalOf(req, await claimOf(req));

  return {
    principal,
    async admit(req, res) {
      const known = await principal(req);
      if (known) return known;
      const visitor = randomBytes(20).toString('base64url');
      res.cookie(VISITOR_COOKIE, visitor, {
        httpOnly: true,
        sameSite: 'lax',
        secure: req.secure,
        maxAge: 365 * 24 * 3_600_000,
      });
      return visitorPrincipal(visitor);
    },
    async authorize(req, jobId = String(req.params.id)) {
      const claim = await claimOf(req);
      if (claim === 'admin') return jobId;
      const given = [claim, ...(await jobClaims(req))].flatMap((each) =>
        each && 'jobId' in each ? each.jobId : [],
      );
      if (given.includes(jobId)) return jobId;
      for (const other of given) if (await serves(jobId, other)) return jobId;
      const others = claim ? queryTokens(req).slice(1) : cookies(req, JOB_COOKIE);
      for (const token of others) if (opens(await tokens.verify(token), jobId)) return jobId;
      const caller = principalOf(req, claim);
      if (caller?.admin) return jobId;
      if (caller && (await ownerOf(jobId)) === caller.id) return jobId;
      throw jobNotFound();
    },
    async requireAdmin(req) {
      const caller = await principal(req);
      if (caller?.admin) return caller;
      if (caller?.signedIn) throw new HeadwayError('forbidden', 'Only an admin may do this.');
      throw new HeadwayError('sign-in', 'Only an admin may do this: send the token of one.');
    },
    token: (jobId) => tokens.sign(jobId),
    async grant(req, res, jobId) {
      const token = await tokens.sign(jobId);
      res.cookie(JOB_COOKIE, token, {
        httpOnly: true,
        sameSite: 'lax',
        secure: req.secure,
        path: `/v1/jobs/${jobId}`,
        maxAge: tokenTtlMs,
      });
      return token;
    },
  };
}

const opens = (claim: Claim, jobId: string): boolean => 'jobId' in claim && claim.jobId === jobId;

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

const visitorPrincipal = (visitor: string): Principal => ({
  id: `visitor:${digest(visitor).toString('base64url')}`,
  signedIn: false,
  admin: false,
  grants: NO_GRANTS,
});
