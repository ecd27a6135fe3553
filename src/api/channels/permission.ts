import { checkChannelName } from '../../shared/channel/keys.js';
import { matches } from '../../shared/channel/pattern.js';
import { HeadwayError } from '../../shared/errors.js';
import type { Ask } from '../auth/hook.js';
import type { Principal } from '../auth/principal.js';
import { type ChannelAction, type ChannelRule, isOfTenant, isShared, nameForAll, ruled } from './rules.js';

/** Who may do what on channels that are no job's. */
export interface Permissions {
  /**
   * Lets a principal do something on a channel: an admin always; else whom the operator's code lets or does not let;
   * else who has a token that names the channel, and whom a rule allows it.
   * @param name as the caller calls it
   * @returns the channel's name among those of all tenants
   * @throws HeadwayError `invalid-request` for a name that no channel can have; `sign-in` where signing in could help,
   *   `forbidden` where it does not
   */
  require(principal: Principal | undefined, action: ChannelAction, name: string): Promise<string>;
}

export function createPermissions(rules: ChannelRule[], ask: Ask): Permissions {
  async function isAllowed(
    principal: Principal | undefined,
    action: ChannelAction,
    name: string,
  ): Promise<boolean> {
    if (principal?.admin) return true;
    if (principal?.tenant !== undefined && !isOfTenant(principal.tenant, name)) return false;
    const said = await ask(principal, action, name);
    if (said !== undefined) return said;
    if (principal?.tenantAdmin && !isShared(rules, name)) return true;
    // Whoever publishes may know whether anybody listens.
    const granted = principal?.grants[action === 'presence' ? 'publish' : action];
    if (granted?.some((pattern) => matches(pattern, name, principal))) return true;
    return ruled(rules, principal, action, name);
  }

  return {
    async require(principal, action, name) {
      checkName(name);
      if (await isAllowed(principal, action, name)) return nameForAll(rules, principal?.tenant, name);
      const what =
        action === 'presence' ? `know who follows the channel ${name}` : `${action} to the channel ${name}`;
      if (!principal?.signedIn) {
        throw new HeadwayError('sign-in', `To ${what}, send a token that allows it.`);
      }
      throw new HeadwayError('forbidden', `Your token does not allow you to ${what}.`);
    },
  };
}

function checkName(channel: string): void {
  try {
    checkChannelName(channel);
  } catch (error) {
    throw new HeadwayError('invalid-request', `${(error as Error).message}.`);
  }
}
