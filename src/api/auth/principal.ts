import { createHash } from 'node:crypto';
import type { Credential } from './credential.js';

/** Somebody whose jobs belong together. */
export interface Principal {
  /** See {@link principalId}; `visitor:<digest>` of a cookie, or `admin`. */
  id: string;
  /** Known by name, and not only by a cookie that the first call was given. */
  signedIn: boolean;
  /** May see and do everything. */
  admin: boolean;
  /** May see and do everything of its tenant. */
  tenantAdmin?: boolean | undefined;
  sub?: string | undefined;
  /** Whose channels and jobs are apart from those of others. */
  tenant?: string | undefined;
  /** What its token allows. */
  grants: Grants;
  /** What it came with; none for a visitor. */
  credential?: Credential | undefined;
  /** All that its token says (RFC 7519, section 4), for the code that decides what rules cannot say. */
  claims?: Record<string, unknown> | undefined;
}

/** What a token allows its bearer beside what everybody may. */
export interface Grants {
  /** Patterns of channels. */
  subscribe: string[];
  publish: string[];
  /** The kinds of job that it may start; `undefined`: all. */
  jobs?: string[] | undefined;
}

/** Nothing beside what everybody may. */
export const NO_GRANTS: Grants = { subscribe: [], publish: [] };

/** Who may do everything by the one secret of the configuration. */
export const ADMIN: Principal = { id: 'admin', signedIn: true, admin: true, grants: NO_GRANTS };

/** A tenant's name stands in front of the names of its channels: it has no slash. */
export const TENANT = /^[A-Za-z0-9][A-Za-z0-9._~@-]{0,99}$/;

/** Whose jobs somebody's are. The same `sub` in two tenants is two people. */
export const principalId = (sub: string, tenant?: string): string =>
  tenant === undefined ? `user:${sub}` : `tenant:${tenant}/${sub}`;

/** Somebody who is known by a cookie only. */
export const visitorPrincipal = (visitor: string): Principal => ({
  id: `visitor:${createHash('sha256').update(visitor).digest('base64url')}`,
  signedIn: false,
  admin: false,
  grants: NO_GRANTS,
});
