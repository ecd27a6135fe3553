/** Longest time that Node's timers know: about 24 days. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** What a call decided about one job, beyond what BullMQ's own options say. Travels in BullMQ's options. */
export interface JobSettings {
  /** A run that takes longer is stopped, in ms. */
  timeoutMs?: number;
  /** Not begun by then (ms since 1970), it fails. */
  expiresAt?: number;
  /** The principal that started it. */
  owner?: string;
  /** For a child: the ids of the jobs above it, its parent's last. */
  ancestors?: string[];
  metadata?: Record<string, unknown>;
  tags?: string[];
}

/** The settings in a job's BullMQ options, as they are on the job or in its hash. */
export function jobSettings(opts: unknown): JobSettings {
  return (opts as { headway?: JobSettings } | undefined)?.headway ?? {};
}
