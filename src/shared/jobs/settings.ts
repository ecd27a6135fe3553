import { parseForeign } from './foreign-json.js';
import { runOf } from './scheduled-run.js';

/** Longest time that Node's timers know: about 24 days. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** The lowest priority (the highest number) that BullMQ accepts. */
export const MAX_PRIORITY = 2 ** 21 - 1;

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

/** A tag, as the options of a start have it. */
export const TAG = /^[\w.:@/-]{1,60}$/;
/** Tags of one job at most. */
export const MAX_TAGS = 20;
const MAX_ANCESTORS = 1000;
/** The last time that a `Date` knows, ms since 1970. */
const MAX_TIME = 8.64e15;

/**
 * The settings in a job's BullMQ options, as they are on the job or in its hash. Another tool may have put anything
 * there: what has not the form of a setting counts as not given. Never throws. (`settingsOf` in `record.lua` does the
 * same for the settings that the index needs.)
 */
export function jobSettings(opts: unknown): JobSettings {
  const { headway, jobId } = recordOf(opts);
  const given = recordOf(headway);
  const timeoutMs = numberIn(given.timeoutMs, 1, MAX_TIMER_MS);
  const ttlMs = numberIn(given.ttlMs, 1, MAX_TIME);
  const run = ttlMs === undefined || typeof jobId !== 'string' ? undefined : runOf(jobId);
  // All runs of a schedule are made from one template: only here is it known when one is due.
  const expiresAt = run ? run.dueAt + ttlMs! : numberIn(given.expiresAt, 0, MAX_TIME);
  const keepMs = numberIn(given.keepMs, KEEP_MS.min, KEEP_MS.max);
  const owner = textIn(given.owner);
  const of = textIn(given.of);
  const ancestors = textsIn(given.ancestors).slice(-MAX_ANCESTORS);
  const tags = textsIn(given.tags)
    .filter((tag) => TAG.test(tag))
    .slice(0, MAX_TAGS);
  const metadata = metadataOf(given.metadata);
  const schedule = scheduleOf(given.schedule);
  return {
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(ttlMs === undefined ? {} : { ttlMs }),
    ...(schedule ? { schedule } : {}),
    ...(owner ? { owner } : {}),
    ...(keepMs === undefined ? {} : { keepMs }),
    ...(ancestors.length > 0 ? { ancestors } : {}),
    ...(metadata ? { metadata } : {}),
    ...(tags.length > 0 ? { tags } : {}),
    ...(given.webhook === true ? { webhook: true } : {}),
    ...(of ? { of } : {}),
  };
}

/** Another tool may have put an object there. */
function metadataOf(stored: unknown): Record<string, unknown> | undefined {
  const value = typeof stored === 'string' ? parseForeign(stored) : stored;
  return isRecord(value) ? value : undefined;
}

function scheduleOf(value: unknown): JobSettings['schedule'] | undefined {
  const { id, version } = recordOf(value);
  return typeof id === 'string' && typeof version === 'number' ? { id, version } : undefined;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const recordOf = (value: unknown): Record<string, unknown> => (isRecord(value) ? value : {});

const numberIn = (value: unknown, min: number, max: number): number | undefined =>
  typeof value === 'number' && value >= min && value <= max ? value : undefined;

const textIn = (value: unknown): string | undefined =>
  typeof value === 'string' && value ? value : undefined;

const textsIn = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : [];
