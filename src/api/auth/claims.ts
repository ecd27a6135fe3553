import { z } from 'zod';
import { isPattern } from '../../shared/channel/pattern.js';
import { type Grants, TENANT } from './principal.js';

/** The claims of a user token or an API key. Times are ms since 1970. */
export interface UserClaim {
  subject: string;
  tenant?: string | undefined;
  admin: boolean;
  grants: Grants;
  expiresAt?: number | undefined;
  issuedAt?: number | undefined;
  jti?: string | undefined;
  /** All claims of the token. */
  claims?: Record<string, unknown> | undefined;
  /** The limits of an API key; by the name of the limit. */
  limits?: Partial<Record<string, number>> | undefined;
}

/** The claims of a token, which gives access to one job or identifies a user. */
export type Claim = { jobId: string; expiresAt: number } | UserClaim;

/** Schema of the channel patterns in a token or an API key. */
export const patternsSchema = z
  .array(z.string().refine(isPattern, 'must be a channel pattern'))
  .max(100)
  .default([]);

/** Schema of the name of a tenant. */
export const tenantSchema = z.string().regex(TENANT, 'must be 1 to 100 of A-Z a-z 0-9 . _ ~ @ -');

/** Schema of the claims that Headway uses in a user token: registered ones (RFC 7519, section 4.1), and `headway`. */
export const userClaims = z.object({
  sub: z.string().min(1).max(200),
  tenant: tenantSchema.optional(),
  iat: z.number().optional(),
  jti: z.string().max(200).optional(),
  headway: z
    .object({
      admin: z.boolean().default(false),
      subscribe: patternsSchema,
      publish: patternsSchema,
      jobs: z.array(z.string()).max(100).optional(),
      adminToken: z.string().max(100).optional(),
    })
    .prefault({}),
});
