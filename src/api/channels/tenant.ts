import { type ChannelRule, isShared } from './rules.js';

/**
 * Channels of tenants are apart: what a caller of the tenant `acme` calls `news` is `acme/news` among the channels of
 * all. No name that a caller of a tenant gives leads out of it.
 */
export function nameForAll(rules: ChannelRule[], tenant: string | undefined, name: string): string {
  if (tenant === undefined || name.startsWith(`${tenant}/`) || isShared(rules, name)) return name;
  return `${tenant}/${name}`;
}

/** Whether a name that a caller of a tenant gives can be one of its channels. */
export const isOfTenant = (tenant: string, name: string): boolean =>
  !name.includes('/') || name.startsWith(`${tenant}/`);
