import { createHash } from 'node:crypto';
import { VISITOR } from '../../shared/jobs/limits.js';
import type { Credential } from './credential.js';

/** An identified caller, who owns the jobs that they start. */
export interface Principal {
  /** From {@link principalId}, or `visitor:<digest of the cookie>`, or `admin`. */
  id: string;
  /** Whether the caller is identified by a token, and not only by the visitor cookie. */
  signedIn: boolean;
  /** Whether the caller has full access. */
  admin: boolean;
  /** Whether the caller has full access to the caller's tenant. */
  tenantAdmin?: boolean | undefined;
  sub?: string | undefined;
  /** The tenant of the caller. Jobs and channels of tenants are separate. */
  tenant?: string | undefined;
  /** What the token allows. */
  grants: Grants;
  /** The fingerprint of the admin token that the caller sent; absent for an admin by another token. */
  adminToken?: string | undefined;
  /** The credential of the request; absent for a visitor. */
  credential?: Credential | undefined;
  /** All claims of the token (RFC 7519, section 4), for the operator's code. */
  claims?: Record<string, unknown> | undefined;
  /** The limits of the caller's API key, by the name of the limit. They replace those of the settings. */
  limits?: Partial<Record<string, number>> | undefined;
}

/** What a token allows in addition to what everybody may do. */
export interface Grants {
  /** Channel patterns. */
  subscribe: string[];
  publish: string[];
  /** The kinds of job that can be started; `undefined` for all. */
  jobs?: string[] | undefined;
}

/** No additional permissions. */
export const NO_GRANTS: Grants = { subscribe: [], publish: [] };

/** The bearer of `ADMIN_TOKEN`. */
export const ADMIN: Principal = { id: 'admin', signedIn: true, admin: true, grants: NO_GRANTS };

/** The form of a tenant's name. It has no slash, because it is a prefix of the names of the tenant's channels. */
export const TENANT = /^[A-Za-z0-9][A-Za-z0-9._~@-]{0,99}$/;

/** Returns the id of a user. The same `sub` in two tenants is two users. */
export const principalId = (sub: string, tenant?: string): string =>
  tenant === undefined ? `user:${sub}` : `tenant:${tenant}/${sub}`;

/** Returns the principal of a visitor, who is identified by a cookie only. */
export const visitorPrincipal = (visitor: string): Principal => ({
  id: `${VISITOR}${createHash('sha256').update(visitor).digest('base64url')}`,
  signedIn: false,
  admin: false,
  grants: NO_GRANTS,
});
