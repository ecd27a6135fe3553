import { checkChannelName } from '../../shared/channel/keys.js';
import { HeadwayError } from '../../shared/errors.js';
import type { Principal } from '../auth/access.js';
import { matches } from './pattern.js';
import { type ChannelAction, type ChannelRule, ruled } from './rules.js';

const JOB_CHANNEL = 'job:';

/** The job that a channel belongs to; `undefined` for a channel of its own. */
export const jobOfChannel = (channel: string): string | undefined =>
  channel.startsWith(JOB_CHANNEL) ? channel.slice(JOB_CHANNEL.length) : undefined;

/**
 * Lets a principal do something on a channel that is no job's: an admin always, who has a token that names the channel,
 * and whom a rule allows it.
 * @throws HeadwayError `invalid-request` for a name that no channel can have; `sign-in` where signing in could help,
 *   `forbidden` where it does not
 */
export function requirePermission(
  rules: ChannelRule[],
  principal: Principal | undefined,
  action: ChannelAction,
  channel: string,
): void {
  checkName(channel);
  if (principal?.admin) return;
  if (principal?.grants[action].some((pattern) => matches(pattern, channel, principal))) return;
  if (ruled(rules, principal, action, channel)) return;
  const what = `${action} to the channel ${channel}`;
  if (!principal?.signedIn) {
    throw new HeadwayError('sign-in', `To ${what}, send a token that allows it.`);
  }
  throw new HeadwayError('forbidden', `Your token does not allow you to ${what}.`);
}

function checkName(channel: string): void {
  try {
    checkChannelName(channel);
  } catch (error) {
    throw new HeadwayError('invalid-request', `${(error as Error).message}.`);
  }
}
