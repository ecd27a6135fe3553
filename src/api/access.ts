import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Request, Response } from 'express';
import { HeadwayError } from '../shared/errors.js';
import type { SnapshotReader } from '../shared/lifecycle/snapshot.js';
import { basicPassword, bearer, cookies, queryToken } from './credentials.js';
import type { Claim, Tokens } from './tokens.js';

const JOB_COOKIE = 'headway_job';
const VISITOR_COOKIE = 'headway_visitor';

/** Somebody whose jobs belong together. */
export interface Principal {
  /** `user:<sub>` of a token, `visitor:<digest>` of a cookie, or `admin`. */
  id: string;
  /** Known by name, and not only by a cookie that the first call was given. */
  signedIn: boolean;
  /** May see and do everything. */
  admin: boolean;
}

/** Who may do what. */
export interface Access {
  /** Who is calling, as far as the request says. @throws HeadwayError `invalid-token` */
  principal(req: Request): Promise<Principal | undefined>;
  /** As {@link principal}; a caller that nothing is known of becomes a visitor, by a cookie. */
  admit(req: Request, res: Response): Promise<Principal>;
  /**
   * Lets a request pass that carries the job's token (`Authorization: Bearer`, `?token=`, or the cookie) or that of a
   * job above it, or comes from who started the job, or from an admin.
   * @returns the job's id
   * @throws HeadwayError `not-found` else, whether the job exists or not; `invalid-token` for a token that is none
   */
  authorize(req: Request): Promise<string>;
  /** @throws HeadwayError `sign-in` for a caller that is not known to be an admin, `forbidden` for one known not to be */
  requireAdmin(req: Request): Promise<Principal>;
  /** Makes the token of a job and sets the cookie that lets pages of the same site use it. */
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
}

const ADMIN: Principal = { id: 'admin', signedIn: true, admin: true };

export function createAccess({ tokens, tokenTtlMs, adminToken, readJob }: AccessOptions): Access {
  const isAdminToken = (given: string | undefined): boolean =>
    given !== undefined && adminToken !== undefined && timingSafeEqual(digest(given), digest(adminToken));

  /** What the request's own words say: an admin, the claim of its token, or nothing. */
  async function claimOf(req: Request): Promise<Claim | 'admin' | undefined> {
    const token = bearer(req) ?? queryToken(req);
    if (isAdminToken(token) || isAdminToken(basicPassword(req))) return 'admin';
    return token === undefined ? undefined : tokens.verify(token);
  }

  function principalOf(req: Request, claim: Claim | 'admin' | undefined): Principal | undefined {
    if (claim === 'admin') return ADMIN;
    if (claim && 'subject' in claim) {
      return { id: `user:${claim.subject}`, signedIn: true, admin: claim.admin };
    }
    const [visitor] = cookies(req, VISITOR_COOKIE);
    return visitor && /^[\w-]{27}$/.test(visitor) ? visitorPrincipal(visitor) : undefined;
  }

  /** Whether a job is a child of another, or a child's child. */
  const isAbove = async (ancestor: string, jobId: string): Promise<boolean> =>
    (await readJob(jobId))?.settings.ancestors?.includes(ancestor) ?? false;

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
    async authorize(req) {
      const jobId = String(req.params.id);
      const claim = await claimOf(req);
      if (claim === 'admin') return jobId;
      if (claim && 'jobId' in claim) {
        if (claim.jobId === jobId || (await isAbove(claim.jobId, jobId))) return jobId;
        throw jobNotFound();
      }
      if (!claim) {
        const [token] = cookies(req, JOB_COOKIE);
        const named = token === undefined ? undefined : await tokens.verify(token);
        if (named && 'jobId' in named && named.jobId === jobId) return jobId;
      }
      const caller = principalOf(req, claim);
      if (caller?.admin) return jobId;
      if (caller && (await readJob(jobId))?.settings.owner === caller.id) return jobId;
      throw jobNotFound();
    },
    async requireAdmin(req) {
      const caller = await principal(req);
      if (caller?.admin) return caller;
      if (caller?.signedIn) throw new HeadwayError('forbidden', 'Only an admin may do this.');
      throw new HeadwayError('sign-in', 'Only an admin may do this: send the token of one.');
    },
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

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

const visitorPrincipal = (visitor: string): Principal => ({
  id: `visitor:${digest(visitor).toString('base64url')}`,
  signedIn: false,
  admin: false,
});
