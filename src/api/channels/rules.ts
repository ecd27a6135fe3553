import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { Action } from '../../shared/auth/authorize.js';
import { isPattern, matches } from '../../shared/channel/pattern.js';
import { decodeText } from '../../shared/process/text-file.js';
import { StartError } from '../../shared/start-error.js';
import type { Principal } from '../auth/principal.js';

const audience = z.enum(['anyone', 'signed-in', 'admin']);

/** A rule: who may do what on the channels that match a pattern. Anything that no rule allows is denied. */
const ruleSchema = z.strictObject({
  channel: z.string().refine(isPattern, 'must be a channel name, optionally with *, **, {sub} and {tenant}'),
  subscribe: audience.optional(),
  publish: audience.optional(),
  /** Who may see the number of viewers. */
  presence: audience.optional(),
  /** Whether all tenants share the channel. */
  shared: z.boolean().optional(),
});

export type ChannelRule = z.output<typeof ruleSchema>;

/** An action on a channel that is not the channel of a job. */
export type ChannelAction = Exclude<Action, 'control'>;

/**
 * Reads `CHANNEL_RULES`: a JSON array, or the path of a file that contains one.
 * @throws StartError with what is wrong, in one line
 */
export async function readRules(setting: string): Promise<ChannelRule[]> {
  if (setting === '') return [];
  let json: unknown;
  try {
    json = JSON.parse(setting.trimStart().startsWith('[') ? setting : decodeText(await readFile(setting)));
  } catch (error) {
    throw new StartError(`CHANNEL_RULES: cannot be read: ${(error as Error).message}`);
  }
  const parsed = z.array(ruleSchema).safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new StartError(`CHANNEL_RULES: rule ${issue?.path.join('.')}: ${issue?.message}`);
}

/** Whether a rule allows a principal to perform an action on a channel. */
export function ruled(
  rules: ChannelRule[],
  principal: Principal | undefined,
  action: ChannelAction,
  channel: string,
): boolean {
  return rules.some((rule) => {
    const needed = rule[action];
    if (!needed || !matches(rule.channel, channel, principal)) return false;
    if (needed === 'anyone') return true;
    return needed === 'admin' ? principal?.admin === true : principal?.signedIn === true;
  });
}

/** Whether all tenants share a channel. */
export const isShared = (rules: ChannelRule[], channel: string): boolean =>
  rules.some((rule) => rule.shared === true && matches(rule.channel, channel));

/**
 * Returns the full name of a channel: callers of the tenant `acme` may write `news` for `acme/news`. A caller of a tenant
 * cannot name a channel of another tenant.
 */
export function nameForAll(rules: ChannelRule[], tenant: string | undefined, name: string): string {
  if (tenant === undefined || name.startsWith(`${tenant}/`) || isShared(rules, name)) return name;
  return `${tenant}/${name}`;
}

/** Whether a channel name that a caller of a tenant uses stays within the tenant. */
export const isOfTenant = (tenant: string, name: string): boolean =>
  !name.includes('/') || name.startsWith(`${tenant}/`);
