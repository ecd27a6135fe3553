import { runOf } from './schedules/run.js';

/** Longest time that Node's timers know: about 24 days. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** The least and the longest time that a finished job can be kept, in ms. */
export const KEEP_MS = { min: 1000, max: 365 * 24 * 3_600_000 };

/** What a call decided about one job, beyond what BullMQ's own options say. */
export interface JobSettings {
  /** A run that takes longer is stopped, in ms. */
  timeoutMs?: number;
  /** Not begun by then (ms since 1970), it fails. */
  expiresAt?: number;
  /** For a run of a schedule, in place of `expiresAt`: it fails when it has not begun this long after it was due, in ms. */
  ttlMs?: number;
  /** The schedule that it is a run of, in the version by which it was made. */
  schedule?: { id: string; version: number };
  /** The principal that started it. */
  owner?: string;
  /** How long it is kept after its end, in ms. */
  keepMs?: number;
  /** For a child: the ids of the jobs above it, its parent's last. */
  ancestors?: string[];
  metadata?: Record<string, unknown>;
  tags?: string[];
  /** There is a webhook to call at its end; its address is kept apart, see `webhooks/store.ts`. */
  webhook?: true;
  /** The job that this one serves: whoever may see that one may see this one. */
  of?: string;
}

/**
 * The settings as they travel in BullMQ's options. BullMQ has Lua take these apart and put them together again, which
 * makes `{}` of an empty list, leaves out `null` and rounds numbers: what a client gave goes as text.
 */
export type StoredSettings = Omit<JobSettings, 'metadata'> & { metadata?: string };

/** The settings in the form in which they are stored. */
export function storedSettings({ metadata, ...settings }: JobSettings): StoredSettings {
  return { ...settings, ...(metadata ? { metadata: JSON.stringify(metadata) } : {}) };
}

/** The settings in a job's BullMQ options, as they are on the job or in its hash. */
export function jobSettings(opts: unknown): JobSettings {
  const { headway: stored, jobId = '' } = (opts ?? {}) as { headway?: StoredSettings; jobId?: string };
  const headway = stored && ({ ...stored, metadata: metadataOf(stored.metadata) } as JobSettings);
  const run = headway?.ttlMs === undefined ? undefined : runOf(jobId);
  // All runs of a schedule are made from one template: only here is it known when one is due.
  return run ? { ...headway, expiresAt: run.dueAt + headway!.ttlMs! } : (headway ?? {});
}

/** Another tool may have put an object there. */
function metadataOf(stored: unknown): unknown {
  if (typeof stored !== 'string') return stored;
  try {
    return JSON.parse(stored);
  } catch {
    return undefined;
  }
}
