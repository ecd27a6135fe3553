import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Request, Response } from 'express';
import { jobChannel } from '../../shared/channel/keys.js';
import { HeadwayError } from '../../shared/errors.js';
import type { TombstoneReader } from '../../shared/job-index/tombstones.js';
import { meantJobId } from '../../shared/jobs/queues.js';
import type { SnapshotReader } from '../../shared/lifecycle/snapshot.js';
import { basePath } from '../http/base-path.js';
import { type ApiKeys, isApiKey } from './api-keys.js';
import type { Claim } from './claims.js';
import { type Credential, tokenDigest } from './credential.js';
import type { Ask } from './hook.js';
import { namesOf, ownCookie } from './own-cookie.js';
import { ADMIN, type Principal, principalId, visitorPrincipal } from './principal.js';
import { basicPassword, bearer, cookies, jobTokens, queryTokens } from './request-credentials.js';
import type { Revocations } from './revocations.js';
import type { Tokens } from './tokens.js';

const JOB_COOKIE = 'headway_job';
const VISITOR_COOKIE = 'headway_visitor';
/** The token of a user, for `EventSource` with credentials. */
export const TOKEN_COOKIE = 'headway_token';

/** A right to see a job. */
export interface Permit {
  jobId: string;
  /** What it rests on; nothing that could end before the job for its visitor. */
  credential?: Credential | undefined;
}

/** Who may do what. */
export interface Access {
  /** Who is calling, as far as the request says. @throws HeadwayError `invalid-token` */
  principal(req: Request): Promise<Principal | undefined>;
  /** As {@link principal}; a caller that nothing is known of becomes a visitor, by a cookie. */
  admit(req: Request, res: Response): Promise<Principal>;
  /**
   * Lets a request pass to a job (that of its path unless another is given) that carries the job's token
   * (`Authorization: Bearer`, `?token=`, or the cookie) or that of the job it serves or of a job above it, or comes from
   * who started the job, from an admin, or from whom the operator's code lets pass.
   * @throws HeadwayError `not-found` else, whether the job exists or not; `invalid-token` for a token that is none
   */
  authorize(req: Request, jobId?: string): Promise<Permit>;
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
  apiKeys: ApiKeys;
  revocations: Revocations;
  ask: Ask;
  tokenTtlMs: number;
  /** Opens everything; `undefined`: nothing does. */
  adminToken: string | undefined;
  readJob: SnapshotReader;
  readTombstone: TombstoneReader;
}

/** What a request has shown: a claim that holds, and what it rests on. */
interface Proof {
  claim: Claim | 'admin';
  credential: Credential;
}

export function createAccess(options: AccessOptions): Access {
  const { tokens, apiKeys, revocations, ask, tokenTtlMs, adminToken, readJob, readTombstone } = options;

  const isAdminToken = (given: string | undefined): boolean =>
    given !== undefined && adminToken !== undefined && timingSafeEqual(sha256(given), sha256(adminToken));

  /** What the request's own words say. */
  async function proofOf(req: Request): Promise<Proof | undefined> {
    const inHeader = bearer(req);
    const inQuery = queryTokens(req)[0];
    const token = inHeader ?? inQuery ?? namesOf(req, TOKEN_COOKIE).flatMap((name) => cookies(req, name))[0];
    if (isAdminToken(token) || isAdminToken(basicPassword(req))) return { claim: 'admin', credential: {} };
    if (token === undefined) return undefined;
    if (isApiKey(token)) {
      if (token !== inHeader) {
        const detail = 'An API key is sent as Authorization: Bearer only: it is not for pages and addresses.';
        throw new HeadwayError('invalid-token', detail);
      }
      const claim = await apiKeys.verify(token);
      return { claim, credential: { key: claim.key, expiresAt: claim.expiresAt } };
    }
    return check(token);
  }

  async function check(token: string): Promise<Proof> {
    const claim = await tokens.verify(token);
    const credential: Credential = { digest: tokenDigest(token), expiresAt: claim.expiresAt };
    if ('subject' in claim) {
      credential.jti = claim.jti;
      credential.principal = principalId(claim.subject, claim.tenant);
      credential.issuedAt = claim.issuedAt;
    }
    await revocations.check(credential);
    return { claim, credential };
  }

  /** The proofs of `Headway-Job-Tokens`; a request for many jobs has them checked once. */
  const jobProofsOf = new WeakMap<Request, Promise<Proof[]>>();
  function jobProofs(req: Request): Promise<Proof[]> {
    const known = jobProofsOf.get(req);
    if (known) return known;
    const checked = Promise.all(jobTokens(req).map(check));
    jobProofsOf.set(req, checked);
    // A stream that waits for Redis has them checked again.
    checked.catch(() => jobProofsOf.delete(req));
    return checked;
  }

  function principalOf(req: Request, proof: Proof | undefined): Principal | undefined {
    const { claim, credential } = proof ?? {};
    if (claim === 'admin') return ADMIN;
    if (claim && 'subject' in claim) {
      const { subject: sub, tenant, admin, grants, claims } = claim;
      const id = principalId(sub, tenant);
      // An admin of a tenant is none of the whole service.
      const isAdmin = admin && tenant === undefined;
      const tenantAdmin = admin && tenant !== undefined;
      return { id, signedIn: true, admin: isAdmin, tenantAdmin, sub, tenant, grants, credential, claims };
    }
    const [visitor] = namesOf(req, VISITOR_COOKIE).flatMap((name) => cookies(req, name));
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
    return job ? job.settings.owner : (await readTombstone(jobId))?.owner;
  };

  const principal = async (req: Request): Promise<Principal | undefined> =>
    principalOf(req, await proofOf(req));

  async function isPermitted(req: Request, jobId: string, caller: Principal | undefined): Promise<boolean> {
    if (caller?.admin) return true;
    const owner = await ownerOf(jobId);
    if (caller && owner === caller.id) return true;
    if (caller?.tenantAdmin && owner?.startsWith(principalId('', caller.tenant))) return true;
    if (owner === undefined) return false;
    const action = req.method === 'GET' || req.method === 'HEAD' ? 'subscribe' : 'control';
    return (await ask(caller, action, jobChannel(jobId))) === true;
  }

  return {
    principal,
    async admit(req, res) {
      const known = await principal(req);
      if (known) return known;
      const visitor = randomBytes(20).toString('base64url');
      const { name, options } = ownCookie(req, VISITOR_COOKIE);
      res.cookie(name, visitor, { ...options, maxAge: 365 * 24 * 3_600_000 });
      return visitorPrincipal(visitor);
    },
    async authorize(req, given = String(req.params.id)) {
      const jobId = meantJobId(given);
      const proof = await proofOf(req);
      if (proof?.claim === 'admin') return { jobId };
      const proofs = [...(proof ? [proof] : []), ...(await jobProofs(req))];
      for (const { claim, credential } of proofs) if (opens(claim, jobId)) return { jobId, credential };
      for (const { claim, credential } of proofs) {
        if (typeof claim !== 'object' || !('jobId' in claim)) continue;
        if (await serves(jobId, claim.jobId)) return { jobId, credential };
      }
      // Of those in the query the first is the proof, unless the header has one.
      const inQuery = queryTokens(req).slice(bearer(req) === undefined ? 1 : 0);
      for (const token of proof ? inQuery : cookies(req, JOB_COOKIE)) {
        const { claim, credential } = await check(token);
        if (opens(claim, jobId)) return { jobId, credential };
        if (!proof || typeof claim !== 'object' || !('jobId' in claim)) continue;
        if (await serves(jobId, claim.jobId)) return { jobId, credential };
      }
      const caller = principalOf(req, proof);
      if (await isPermitted(req, jobId, caller)) return { jobId, credential: caller?.credential };
      throw jobNotFound();
    },
    async requireAdmin(req) {
      const caller = await principal(req);
      if (caller?.admin) return caller;
      if (caller?.signedIn) throw new HeadwayError('forbidden', 'Admin access required.');
      throw new HeadwayError('sign-in', 'Admin token required.');
    },
    token: (jobId) => tokens.sign(jobId),
    async grant(req, res, jobId) {
      const token = await tokens.sign(jobId);
      res.cookie(JOB_COOKIE, token, {
        httpOnly: true,
        sameSite: 'lax',
        secure: req.secure,
        path: `${basePath(req)}/v1/jobs/${jobId}`,
        maxAge: tokenTtlMs,
      });
      return token;
    },
  };
}

const opens = (claim: Claim | 'admin', jobId: string): boolean =>
  typeof claim === 'object' && 'jobId' in claim && claim.jobId === jobId;

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();
