import { parseForeign } from './foreign-json.js';
import { runOf } from './scheduled-run.js';

/** The maximum delay of Node's timers, in ms: about 24 days. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** The lowest priority that BullMQ accepts, which is the highest number. */
export const MAX_PRIORITY = 2 ** 21 - 1;

/** The shortest and longest time for which a job can be kept after its end, in ms. */
export const KEEP_MS = { min: 1000, max: 365 * 24 * 3_600_000 };

/** The settings of one job that BullMQ's options do not cover. */
export interface JobSettings {
  /** The maximum time of a run, in ms. */
  timeoutMs?: number;
  /** The job fails if it has not started by then, ms since 1970. */
  expiresAt?: number;
  /** For scheduled runs, instead of `expiresAt`: the run fails if it has not started this long after its due time, in ms. */
  ttlMs?: number;
  /** For scheduled runs: the schedule, and the version that created the run. */
  schedule?: { id: string; version: number };
  /** The principal that started the job. */
  owner?: string;
  /** How long the job is kept after its end, in ms. */
  keepMs?: number;
  /** For children: the ids of the ancestors, the parent last. */
  ancestors?: string[];
  title?: string;
  metadata?: Record<string, unknown>;
  tags?: string[];
  /** The job has a webhook. Its URL and secret are stored separately, see `webhooks/store.ts`. */
  webhook?: true;
  /** The job that this one works for. Access to that job includes access to this one. */
  of?: string;
  /** The id of the HTTP request that started the job, or the job's root ancestor. */
  requestId?: string;
}

/**
 * The settings as stored in BullMQ's options. BullMQ's Lua scripts decode and encode the options, which turns an empty list
 * into `{}`, drops `null` and rounds numbers. Therefore values of clients are stored as text.
 */
export type StoredSettings = Omit<JobSettings, 'metadata'> & { metadata?: string };

/** Converts settings to the stored form. */
export function storedSettings({ metadata, ...settings }: JobSettings): StoredSettings {
  return { ...settings, ...(metadata ? { metadata: JSON.stringify(metadata) } : {}) };
}

/** The form of a title: one line of text that Lua can decode, so without half of a surrogate pair. */
export const MAX_TITLE = 200;
export const TITLE = new RegExp(`^[^\\p{Cc}\\p{Cs}\\p{Zl}\\p{Zp}]{1,${MAX_TITLE}}$`, 'u');
/** The form of a tag. */
export const TAG = /^[\w.:@/-]{1,60}$/;
/** The maximum number of tags of a job. */
export const MAX_TAGS = 20;
const MAX_ANCESTORS = 1000;
const MAX_REQUEST_ID = 100;
/** The latest time that a `Date` can represent, ms since 1970. */
const MAX_TIME = 8.64e15;

/**
 * Reads the settings from the BullMQ options of a job. Another tool may have written them: a value that is not a valid
 * setting counts as absent. Never throws. (`settingsOf` in `record.lua` does the same for the settings that the index needs.)
 */
export function jobSettings(opts: unknown): JobSettings {
  const { headway, jobId } = recordOf(opts);
  const given = recordOf(headway);
  const timeoutMs = numberIn(given.timeoutMs, 1, MAX_TIMER_MS);
  const ttlMs = numberIn(given.ttlMs, 1, MAX_TIME);
  const run = typeof jobId === 'string' ? runOf(jobId) : undefined;
  // All runs of a schedule are created from one template, which cannot contain the time of each run.
  const expiresAt = run && ttlMs !== undefined ? run.dueAt + ttlMs : numberIn(given.expiresAt, 0, MAX_TIME);
  const keepMs = numberIn(given.keepMs, KEEP_MS.min, KEEP_MS.max);
  const owner = textIn(given.owner);
  const of = textIn(given.of);
  const requestId = textIn(given.requestId)?.slice(0, MAX_REQUEST_ID);
  const ancestors = textsIn(given.ancestors).slice(-MAX_ANCESTORS);
  const tags = textsIn(given.tags)
    .filter((tag) => TAG.test(tag))
    .slice(0, MAX_TAGS);
  const title = textIn(given.title);
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
    ...(title && TITLE.test(title) ? { title } : {}),
    ...(metadata ? { metadata } : {}),
    ...(tags.length > 0 ? { tags } : {}),
    ...(given.webhook === true ? { webhook: true } : {}),
    ...(of ? { of } : {}),
    ...(requestId ? { requestId } : {}),
  };
}

/** Metadata is stored as text, but another tool may have stored an object. */
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
