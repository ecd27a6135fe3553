/** Longest time that Node's timers know: about 24 days. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** The least and the longest time that a finished job can be kept, in ms. */
export const KEEP_MS = { min: 1000, max: 365 * 24 * 3_600_000 };

/** What a call decided about one job, beyond what BullMQ's own options say. Travels in BullMQ's options. */
export interface JobSettings {
  /** A run that takes longer is stopped, in ms. */
  timeoutMs?: number;
  /** Not begun by then (ms since 1970), it fails. */
  expiresAt?: number;
  /** The principal that started it. */
  owner?: string;
  /** How long it is kept after its end, in ms. */
  keepMs?: number;
  metadata?: Record<string, unknown>;
  tags?: string[];
}

/** The settings in a job's BullMQ options, as they are on the job or in its hash. */
export function jobSettings(opts: unknown): JobSettings {
  return (opts as { headway?: JobSettings } | undefined)?.headway ?? {};
}
