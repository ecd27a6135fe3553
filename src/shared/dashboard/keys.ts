import { channelKeys } from '../channel/keys.js';
import { createKeyspace, type Keyspace } from '../keyspace.js';

/** The channel for the reports of processes. */
export const DASHBOARD_CHANNEL = 'dashboard';

/** Returns the keyspace of internal channels. No request can reach them, whatever tokens and rules allow. */
export const internalKeyspace = ({ prefix }: Keyspace): Keyspace => createKeyspace(`${prefix}:internal`);

/** The Redis keys of the dashboard. They have the hash tag of its channel, so that one script can access all of them. */
export interface DashboardKeys {
  /** A hash: process id -> heartbeat, JSON. */
  processes: string;
  /** A sorted set: process ids by the time at which their heartbeat expires, ms since 1970 by Redis' clock. */
  deadlines: string;
  /** A string that exists while a dashboard is open. */
  watched: string;
  /** The slots of the channel: the running jobs of each process. */
  slots: string;
  /** A hash: the counters of one minute. */
  minute(scope: string, minute: number): string;
  /** A hash: the history of all jobs, hour -> counts by kind, JSON. */
  hours: string;
}

export function dashboardKeys(keyspace: Keyspace): DashboardKeys {
  const [channel, , slots] = channelKeys(internalKeyspace(keyspace), DASHBOARD_CHANNEL);
  return {
    processes: `${channel}:processes`,
    deadlines: `${channel}:deadlines`,
    watched: `${channel}:watched`,
    slots,
    hours: `${channel}:hours`,
    minute: (scope, minute) => `${channel}:minute:${scope}:${minute}`,
  };
}
