import { randomBytes } from 'node:crypto';
import type { Request, Response } from 'express';
import { jobChannel } from '../../shared/channel/keys.js';
import { HeadwayError } from '../../shared/errors.js';
import type { TombstoneReader } from '../../shared/job-index/tombstones.js';
import { meantJobId } from '../../shared/jobs/queues.js';
import type { SnapshotReader } from '../../shared/lifecycle/snapshot.js';
import type { Logger } from '../../shared/process/log.js';
import { noteInEntry } from '../http/request-entry.js';
import type { CredentialLimits } from '../limits/credentials.js';
import type { AdminTokens } from './admin-tokens.js';
import type { AnonymousMode } from './anonymous.js';
import { type ApiKeys, isApiKey } from './api-keys.js';
import type { Claim } from './claims.js';
import { type Credential, tokenDigest } from './credential.js';
import type { Ask } from './hook.js';
import type { ShardCheck } from './known-shard.js';
import { ignoredCookieHint, ownCookie, ownCookieOf, TOKEN_COOKIE } from './own-cookie.js';
import { ADMIN, type Principal, principalId, visitorPrincipal } from './principal.js';
import { basicPassword, bearer, jobTokens, queryTokens } from './request-credentials.js';
import type { Revocations } from './revocations.js';
import type { Tokens } from './tokens.js';

const VISITOR_COOKIE = 'headway_visitor';

/** Permission to access a job. */
export interface Permit {
  jobId: string;
  /** The basis of the permission. Absent for a visitor, whose permission does not expire. */
  credential?: Credential | undefined;
}

/** Identifies callers and decides who may access a job. */
export interface Access {
  /**
   * Returns the caller of a request; `undefined` if unidentified.
   * @throws HeadwayError `invalid-token`; `sign-in` for a request without a valid token if `ANONYMOUS` is `deny`
   */
  principal(req: Request): Promise<Principal | undefined>;
  /** Like `principal`, and remembers the result for the rest of the request, so that nothing is verified twice. */
  identify(req: Request): Promise<Principal | undefined>;
  /** Whether a caller may start jobs, upload files and make schedules at all. */
  mayStart(caller: Principal | undefined): boolean;
  /**
   * Returns the caller of a request that starts jobs, uploads a file, or makes or changes a schedule; `undefined` if
   * unidentified.
   * @throws HeadwayError like `principal`; `sign-in` for a caller who is not signed in, unless `ANONYMOUS` is `allow`
   */
  requireStarter(req: Request): Promise<Principal | undefined>;
  /** Like `requireStarter`, but an unidentified caller becomes a visitor and gets a cookie. */
  admit(req: Request, res: Response): Promise<Principal>;
  /**
   * Checks that a request may access a job. Access requires the token (`Authorization: Bearer` or `?token=`) of the job,
   * of the job that it serves, or of one of its ancestors. Otherwise the caller must be the owner of the job or an admin,
   * or be allowed by the operator's code.
   * @param jobId defaults to the job in the path
   * @throws HeadwayError `not-found` otherwise, whether the job exists or not; `invalid-token` for an invalid token;
   *   `sign-in` for a request without a valid token if `ANONYMOUS` is `deny`
   */
  authorize(req: Request, jobId?: string): Promise<Permit>;
  /**
   * Returns the caller whom the credential of a request identified when it was checked; `undefined` for a visitor, and before
   * a check.
   */
  knownCaller(req: Request): Principal | undefined;
  /** Returns the caller. @throws HeadwayError `forbidden` for a user who is not an admin, `sign-in` for any other caller */
  requireAdmin(req: Request): Promise<Principal>;
  /** Signs the token of a job. */
  token(jobId: string): string;
}

/** The error for a job that does not exist, and for one that the caller may not access: they look the same. */
export const jobNotFound = (): HeadwayError =>
  new HeadwayError('not-found', 'No such job, or its token is missing.');

/** The error for a caller without a token. */
const tokenRequired = (): HeadwayError =>
  new HeadwayError(
    'sign-in',
    'Sign in: this service requires a token. Send a user token or an API key as Authorization: Bearer.',
  );

export interface AccessOptions {
  tokens: Tokens;
  apiKeys: ApiKeys;
  revocations: Revocations;
  ask: Ask;
  /** What callers without a token may do. */
  anonymous: AnonymousMode;
  adminTokens: AdminTokens;
  /** Limits how many credentials can be tried. */
  limits: CredentialLimits;
  hasKnownShard: ShardCheck;
  readJob: SnapshotReader;
  readTombstone: TombstoneReader;
  log: Logger;
}

/** A verified claim of a request, and the credential that it comes from. */
interface Proof {
  claim: Claim | 'admin';
  credential: Credential;
  /** The fingerprint of the admin token. */
  adminToken?: string;
}

export function createAccess(options: AccessOptions): Access {
  const {
    tokens,
    apiKeys,
    revocations,
    ask,
    anonymous,
    adminTokens,
    limits,
    hasKnownShard,
    readJob,
    readTombstone,
    log,
  } = options;

  /** The proof of each request that identifies its caller. */
  const known = new WeakMap<Request, Proof>();
  const remember = <P extends Proof | undefined>(req: Request, proof: P): P => {
    if (proof) noteInEntry(req, { caller: callerOf(proof.claim) });
    if (proof && !isJobProof(proof)) known.set(req, proof);
    return proof;
  };

  /** What `identify` has verified. */
  const identified = new WeakMap<Request, Promise<Proof | undefined>>();

  const proofOf = (req: Request): Promise<Proof | undefined> => identified.get(req) ?? verifyCaller(req);
  let notedRestricted = false;
  /** Warns once that a restricted token is in use and limits nobody. */
  function noteRestricted(): void {
    if (anonymous !== 'allow' || notedRestricted) return;
    notedRestricted = true;
    log.warn(
      'a token that is restricted to kinds of job was used, but with ANONYMOUS=allow its bearer can start other kinds without it; set ANONYMOUS=watch or deny',
    );
  }

  /** Verifies the credential that identifies the caller. */
  const verifyCaller = async (req: Request): Promise<Proof | undefined> =>
    remember(req, await findProof(req));

  /** Returns the fingerprint of the admin token that a token equals. @throws HeadwayError `rate-limited` */
  async function adminTokenIn(req: Request, token: string): Promise<string | undefined> {
    if (isApiKey(token) || isJwt(token)) return adminTokens.match(token);
    const guess = await limits.guess(req, () => adminTokens.match(token));
    if (guess.found === undefined) await guess.answer();
    return guess.found;
  }

  /**
   * Does the same for the password of HTTP Basic. It may be meant for a proxy in front of the service, which passes it on with
   * every request. So a wrong one is a failed sign-in only where an admin is asked for one; elsewhere, the caller is anonymous.
   */
  async function adminPasswordIn(req: Request, asked: 'asked' | 'unasked'): Promise<string | undefined> {
    const password = basicPassword(req);
    if (password === undefined) return undefined;
    const guess = await limits.guess(req, () => adminTokens.match(password), asked);
    if (asked === 'asked' && guess.found === undefined) await guess.answer();
    return guess.found;
  }

  const adminProof = (adminToken: string): Proof => ({ claim: 'admin', credential: {}, adminToken });

  async function findProof(req: Request): Promise<Proof | undefined> {
    const inHeader = bearer(req);
    const token = inHeader ?? queryTokens(req)[0] ?? tokenCookie(req);
    const isMisplaced = token !== undefined && token !== inHeader;
    if (isMisplaced && isApiKey(token)) throw new MisplacedError('an API key', 'Authorization: Bearer');
    const inToken = token === undefined ? undefined : await adminTokenIn(req, token);
    if (isMisplaced && inToken !== undefined) {
      throw new MisplacedError('the admin token', 'Authorization: Bearer or as the password of HTTP Basic');
    }
    const adminToken = inToken ?? (await adminPasswordIn(req, 'unasked'));
    if (adminToken !== undefined) return adminProof(adminToken);
    if (token === undefined) return void warnOfIgnoredCookie(req);
    if (isApiKey(token)) {
      const checkedAt = performance.now();
      if (!apiKeys.wasUsed(token)) limits.refuseKnown(req);
      const claim = await apiKeys.verify(token).catch((error) => refuseInvalid(req, error));
      return { claim, credential: { key: claim.key, expiresAt: claim.expiresAt, checkedAt } };
    }
    return verify(req, token);
  }

  let warned = false;
  /** Tells the operator once that an application sets the cookie of its users under a name that is ignored. */
  function warnOfIgnoredCookie(req: Request): void {
    const hint = warned ? undefined : ignoredCookieHint(req);
    if (hint === undefined) return;
    warned = true;
    log.warn(hint);
  }

  /** Counts an invalid token, and throws the error of the request. */
  async function refuseInvalid(req: Request, error: unknown): Promise<never> {
    throw await limits.afterInvalid(req, error);
  }

  const verify = (req: Request, token: string): Promise<Proof> =>
    verifyToken(token).catch((error) => refuseInvalid(req, error));

  async function verifyToken(token: string): Promise<Proof> {
    const claim = await tokens.verify(token);
    const credential: Credential = { digest: tokenDigest(token), expiresAt: claim.expiresAt };
    if ('subject' in claim) {
      credential.jti = claim.jti;
      credential.principal = principalId(claim.subject, claim.tenant);
      credential.issuedAt = claim.issuedAt;
    }
    credential.checkedAt = performance.now();
    await revocations.check(credential);
    return { claim, credential };
  }

  /**
   * Returns the proof that identifies the caller. A job token does not: a user token in the cookie still does, unless it is
   * invalid.
   */
  async function identityOf(req: Request, proof: Proof | undefined): Promise<Proof | undefined> {
    const token = isJobProof(proof) ? tokenCookie(req) : undefined;
    if (token === undefined) return proof;
    const found = verify(req, token).then((verified) => remember(req, verified));
    return found.catch((error) => {
      if (isInvalidToken(error)) return proof;
      throw error;
    });
  }

  /** The tokens of `Headway-Job-Tokens`, verified once for a request for many jobs. */
  const jobProofsOf = new WeakMap<Request, Promise<Proof[]>>();
  function jobProofs(req: Request): Promise<Proof[]> {
    const pending = jobProofsOf.get(req);
    if (pending) return pending;
    const verified = Promise.all(jobTokens(req).map((token) => verify(req, token)));
    jobProofsOf.set(req, verified);
    // A stream that waits for Redis verifies them again.
    verified.catch(() => jobProofsOf.delete(req));
    return verified;
  }

  function principalOf(req: Request, proof: Proof | undefined): Principal | undefined {
    const { claim, credential, adminToken } = proof ?? {};
    if (claim === 'admin') return { ...ADMIN, adminToken };
    if (claim && 'subject' in claim) {
      const { subject: sub, tenant, admin, grants, claims, limits: own } = claim;
      const id = principalId(sub, tenant);
      if (grants.jobs) noteRestricted();
      // An admin of a tenant is not an admin of the service. Nor is a caller who may start only some kinds of job: an admin
      // can get any other permission, for example with a new API key.
      const isAdmin = admin && tenant === undefined && grants.jobs === undefined;
      const tenantAdmin = admin && tenant !== undefined;
      return {
        id,
        signedIn: true,
        admin: isAdmin,
        tenantAdmin,
        sub,
        tenant,
        grants,
        credential,
        claims,
        limits: own,
      };
    }
    if (anonymous === 'deny') return undefined;
    const visitor = ownCookieOf(req, VISITOR_COOKIE);
    if (!visitor || !/^[\w-]{27}$/.test(visitor)) return undefined;
    const caller = visitorPrincipal(visitor);
    if (!proof) noteInEntry(req, { caller: caller.id });
    return caller;
  }

  /** Whether a job delivers the webhook of another job, or is its descendant. Access to the other job then suffices. */
  const serves = async (jobId: string, other: string): Promise<boolean> => {
    const { of, ancestors } = (await readJob(jobId))?.settings ?? {};
    return of === other || (ancestors?.includes(other) ?? false);
  };
  /** The owner of a job, even if the job has been removed. */
  const ownerOf = async (jobId: string): Promise<string | undefined> => {
    const job = await readJob(jobId);
    return job ? job.settings.owner : (await readTombstone(jobId))?.owner;
  };

  async function principal(req: Request): Promise<Principal | undefined> {
    const proof = await proofOf(req);
    if (anonymous === 'deny' && !proof && !(await hasJobToken(req))) throw tokenRequired();
    return principalOf(req, await identityOf(req, proof));
  }

  /** Whether a request that has no other token has the token of a job. */
  const hasJobToken = async (req: Request): Promise<boolean> => (await jobProofs(req)).length > 0;

  const mayStart = (caller: Principal | undefined): boolean =>
    anonymous === 'allow' || caller?.signedIn === true;

  async function requireStarter(req: Request): Promise<Principal | undefined> {
    const caller = await principal(req);
    if (!mayStart(caller)) throw tokenRequired();
    return caller;
  }

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
    mayStart,
    requireStarter,
    identify(req) {
      identified.set(req, verifyCaller(req));
      return principal(req);
    },
    async admit(req, res) {
      const known = await requireStarter(req);
      if (known) return known;
      const visitor = randomBytes(20).toString('base64url');
      const { name, options } = ownCookie(req, VISITOR_COOKIE);
      res.cookie(name, visitor, { ...options, maxAge: 365 * 24 * 3_600_000 });
      const caller = visitorPrincipal(visitor);
      noteInEntry(req, { caller: caller.id });
      return caller;
    },
    async authorize(req, given = String(req.params.id)) {
      const jobId = meantJobId(given);
      const proof = await proofOf(req);
      if (!(await hasKnownShard(jobId))) {
        if (anonymous === 'deny' && !proof) throw tokenRequired();
        throw jobNotFound();
      }
      if (proof?.claim === 'admin') return { jobId };
      const proofs = [...(proof ? [proof] : []), ...(await jobProofs(req))];
      for (const { claim, credential } of proofs) if (opens(claim, jobId)) return { jobId, credential };
      for (const { claim, credential } of proofs) {
        if (typeof claim !== 'object' || !('jobId' in claim)) continue;
        if (await serves(jobId, claim.jobId)) return { jobId, credential };
      }
      // The first token in the query identifies the caller, unless there is a bearer token.
      for (const token of queryTokens(req).slice(bearer(req) === undefined ? 1 : 0)) {
        const { claim, credential } = await verify(req, token);
        if (opens(claim, jobId)) {
          if (!proof) noteInEntry(req, { caller: callerOf(claim) });
          return { jobId, credential };
        }
        if (typeof claim !== 'object' || !('jobId' in claim)) continue;
        if (await serves(jobId, claim.jobId)) return { jobId, credential };
      }
      if (anonymous === 'deny' && proofs.length === 0) throw tokenRequired();
      const caller = principalOf(req, await identityOf(req, proof));
      if (await isPermitted(req, jobId, caller)) return { jobId, credential: caller?.credential };
      throw jobNotFound();
    },
    knownCaller(req) {
      const proof = known.get(req);
      return proof && principalOf(req, proof);
    },
    async requireAdmin(req) {
      let refusal: unknown = new HeadwayError('sign-in', 'Admin token required.');
      try {
        const caller = await principal(req);
        if (caller?.admin) return caller;
        if (caller?.signedIn) refusal = new HeadwayError('forbidden', 'Admin access required.');
      } catch (error) {
        // The cookie of a session that has ended does not keep an admin from signing in again.
        if (!isInvalidToken(error) || error instanceof MisplacedError) throw error;
        refusal = error;
      }
      const adminToken = await adminPasswordIn(req, 'asked');
      if (adminToken === undefined) throw refusal;
      const proof = remember(req, adminProof(adminToken));
      identified.set(req, Promise.resolve(proof));
      return { ...ADMIN, adminToken };
    },
    token: (jobId) => tokens.sign(jobId),
  };
}

/** The name of the bearer of a token in the logs. */
function callerOf(claim: Claim | 'admin'): string {
  if (claim === 'admin') return ADMIN.id;
  return 'subject' in claim ? principalId(claim.subject, claim.tenant) : `job:${claim.jobId}`;
}

/** Returns the user token in the cookie. */
const tokenCookie = (req: Request): string | undefined => ownCookieOf(req, TOKEN_COOKIE);

const isJobProof = (proof: Proof | undefined): boolean =>
  typeof proof?.claim === 'object' && 'jobId' in proof.claim;

const opens = (claim: Claim | 'admin', jobId: string): boolean =>
  typeof claim === 'object' && 'jobId' in claim && claim.jobId === jobId;

/** Whether a token has the form of a JWT (RFC 7519), so that it is not a guess of the admin token. */
const isJwt = (token: string): boolean => /^eyJ[\w-]*\.[\w-]+\.[\w-]*$/.test(token);

const isInvalidToken = (error: unknown): boolean =>
  error instanceof HeadwayError && error.code === 'invalid-token';

/** The error for a secret in a URL or a cookie. URLs are logged and shared. */
class MisplacedError extends HeadwayError {
  constructor(secret: string, where: string) {
    super('invalid-token', `Send ${secret} as ${where} only. It must not be used in pages and URLs.`);
  }
}
