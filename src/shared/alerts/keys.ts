import type { Keyspace } from '../keyspace.js';

/** The Redis keys of the alerts. */
export interface AlertKeys {
  /** A hash: key of an alert -> its state, JSON. */
  states: string;
  /** A string that exists for the time between two checks. */
  checked: string;
}

export const alertKeys = ({ prefix }: Keyspace): AlertKeys => ({
  states: `${prefix}:{alerts}:states`,
  checked: `${prefix}:{alerts}:checked`,
});
