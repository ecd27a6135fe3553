import { z } from 'zod';
import { isPattern } from '../../shared/channel/pattern.js';
import { type Grants, TENANT } from './principal.js';

/** What the token of a user says, or an API key. Times are ms since 1970. */
export interface UserClaim {
  subject: string;
  tenant?: string | undefined;
  admin: boolean;
  grants: Grants;
  expiresAt?: number | undefined;
  issuedAt?: number | undefined;
  jti?: string | undefined;
  /** All of it. */
  claims?: Record<string, unknown> | undefined;
}

/** What a token says: it opens one job, or it says who somebody is. */
export type Claim = { jobId: string; expiresAt: number } | UserClaim;

/** Schema of patterns of channels, as a token or an API key has them. */
export const patternsSchema = z
  .array(z.string().refine(isPattern, 'must be a pattern of channels'))
  .max(100)
  .default([]);

/** Schema of a tenant's name. */
export const tenantSchema = z.string().regex(TENANT, 'must be 1 to 100 of A-Z a-z 0-9 . _ ~ @ -');

/** What of a token of a user we look at (RFC 7519, section 4.1, and our own). */
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
    })
    .prefault({}),
});
