import { channelKeys } from '../channel/keys.js';

/** The channel that carries what processes say of themselves. */
export const DASHBOARD_CHANNEL = 'dashboard';

/**
 * The prefix of channels that are Headway's own. No call of the API reaches a channel under it, whatever a token or a
 * rule allows.
 */
export const internalPrefix = (prefix: string): string => `${prefix}:internal`;

/** The Redis keys of the dashboard. They share the hash tag of its channel, so that one script may touch all of them. */
export interface DashboardKeys {
  /** A hash: id of a process -> what it says of itself, JSON. */
  processes: string;
  /** A sorted set: when a process that says nothing more counts as gone, ms since 1970 by the clock of Redis. */
  deadlines: string;
  /** There while somebody looks at a dashboard. */
  watched: string;
  /** The slots of the channel: what each process runs. */
  slots: string;
  /** A hash: what came to an end in one minute. */
  minute(scope: string, minute: number): string;
}

export function dashboardKeys(prefix: string): DashboardKeys {
  const [channel, , slots] = channelKeys(internalPrefix(prefix), DASHBOARD_CHANNEL);
  return {
    processes: `${channel}:processes`,
    deadlines: `${channel}:deadlines`,
    watched: `${channel}:watched`,
    slots,
    minute: (scope, minute) => `${channel}:minute:${scope}:${minute}`,
  };
}
