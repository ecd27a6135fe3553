import { checkChannelName } from '../../shared/channel/keys.js';
import { matches } from '../../shared/channel/pattern.js';
import { HeadwayError } from '../../shared/errors.js';
import type { Ask } from '../auth/hook.js';
import type { Principal } from '../auth/principal.js';
import { type ChannelAction, type ChannelRule, isOfTenant, isShared, nameForAll, ruled } from './rules.js';

/** Decides who may use channels, except the channels of jobs. */
export interface Permissions {
  /**
   * Checks that a principal may perform an action on a channel. Admins may. Otherwise the operator's code decides; if it
   * does not, the grants of the token and the rules do.
   * @param name the channel's name as the caller uses it
   * @returns the channel's name among the channels of all tenants
   * @throws HeadwayError `invalid-request` for an invalid name; `sign-in` for an unidentified caller, `forbidden` for a
   *   user who is not allowed
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
    const decision = await ask(principal, action, name);
    if (decision !== undefined) return decision;
    if (principal?.tenantAdmin && !isShared(rules, name)) return true;
    // A publisher may know how many viewers there are.
    const granted = principal?.grants[action === 'presence' ? 'publish' : action];
    if (granted?.some((pattern) => matches(pattern, name, principal))) return true;
    return ruled(rules, principal, action, name);
  }

  return {
    async require(principal, action, name) {
      checkName(name);
      if (await isAllowed(principal, action, name)) return nameForAll(rules, principal?.tenant, name);
      const what =
        action === 'presence'
          ? `see the number of viewers of the channel ${name}`
          : `${action} to the channel ${name}`;
      if (!principal?.signedIn) {
        throw new HeadwayError('sign-in', `Send a token that allows you to ${what}.`);
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
