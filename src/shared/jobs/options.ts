import type { JobsOptions } from 'bullmq';
import { z } from 'zod';
import { serverNow } from '../redis/server-clock.js';
import type { Backoff, JobDefaults } from './definition.js';
import { jsonValue } from './schema.js';
import {
  KEEP_MS,
  MAX_PRIORITY,
  MAX_TAGS,
  MAX_TIMER_MS,
  MAX_TITLE,
  type StoredSettings,
  storedSettings,
  TAG,
  TITLE,
} from './settings.js';
import { webhookSchema } from './webhook-option.js';

const YEAR_MS = 365 * 24 * 3_600_000;
const MAX_METADATA_BYTES = 4096;

const metadata = z
  .record(z.string().min(1).max(100), jsonValue)
  .refine((value) => Buffer.byteLength(JSON.stringify(value)) <= MAX_METADATA_BYTES, {
    error: `must be at most ${MAX_METADATA_BYTES} bytes as JSON`,
  });

/** The `options` of `POST /v1/jobs`. Each overrides the default of the definition. */
export const optionsSchema = z
  .strictObject({
    attempts: z.number().int().min(1).max(100).optional().describe('Maximum number of runs'),
    backoff: z
      .strictObject({
        type: z.enum(['fixed', 'exponential']),
        delayMs: z
          .number()
          .int()
          .min(0)
          .max(24 * 3_600_000),
        jitter: z
          .number()
          .min(0)
          .max(1)
          .optional()
          .describe('The random share of the wait. Defaults to 0.5 for `exponential` and 0 for `fixed`'),
      })
      .optional()
      .describe('The wait before the next attempt'),
    delayMs: z.number().int().min(0).max(YEAR_MS).optional().describe('Delays the start by this time'),
    runAt: z.iso
      .datetime({ offset: true })
      .optional()
      .describe(
        'Starts at this time (RFC 3339, with a time zone), instead of `delayMs`; a past time means now',
      ),
    priority: z
      .number()
      .int()
      .min(0)
      .max(MAX_PRIORITY)
      .optional()
      .describe('1 is the highest; jobs without a priority (or with 0) come before all others'),
    deduplicationKey: z
      .string()
      .regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 visible ASCII characters')
      .optional()
      .describe('While a job with the same name and key has not ended, the response is that job'),
    ttlMs: z
      .number()
      .int()
      .min(1)
      .max(YEAR_MS)
      .optional()
      .describe('The job fails if it has not started within this time'),
    timeoutMs: z.number().int().min(1).max(MAX_TIMER_MS).optional().describe('A run that takes longer fails'),
    keepMs: z
      .number()
      .int()
      .min(KEEP_MS.min)
      .max(KEEP_MS.max)
      .optional()
      .describe('How long the job is kept after its end'),
    title: z
      .string()
      .regex(TITLE, `must be one line of 1 to ${MAX_TITLE} characters`)
      .optional()
      .describe('Shown with the job, to tell jobs of a kind apart'),
    metadata: metadata.optional().describe('Shown with the job'),
    webhook: webhookSchema.optional(),
    tags: z
      .array(z.string().regex(TAG, 'must be 1 to 60 letters, digits and . : @ / _ -'))
      .max(MAX_TAGS)
      .optional()
      .describe('Shown with the job; the list of jobs can be filtered by tag'),
  })
  .refine(({ delayMs, runAt }) => delayMs === undefined || runAt === undefined, {
    error: 'delayMs and runAt cannot be combined',
    path: ['runAt'],
  })
  .refine(({ runAt }) => !(Date.parse(runAt ?? '') - serverNow() > YEAR_MS), {
    error: 'must be within a year',
    path: ['runAt'],
  });

export type JobOptions = z.output<typeof optionsSchema>;

/** The options of a job for BullMQ. */
export interface QueueOptions {
  bullmq: JobsOptions & { headway: StoredSettings };
  /** The due time, ms since 1970; `undefined` for now. */
  dueAt: number | undefined;
  /** The job fails if it has not started by then, ms since 1970. */
  expiresAt: number | undefined;
}

/** Merges the options of a request with the defaults of the definition. */
export function queueOptions(
  options: JobOptions,
  defaults: JobDefaults = {},
  owner?: string,
  now = serverNow(),
): QueueOptions {
  const asked = options.runAt ? Date.parse(options.runAt) - now : (options.delayMs ?? 0);
  const delay = Math.max(0, asked);
  const ttlMs = options.ttlMs ?? defaults.ttlMs;
  const expiresAt = ttlMs === undefined ? undefined : now + delay + ttlMs;
  const backoff = options.backoff ?? defaults.backoff;
  const keepMs = options.keepMs ?? defaults.keepMs;
  const { timeoutMs, tags } = options;
  const settings = storedSettings({
    ...(owner ? { owner } : {}),
    ...(timeoutMs !== undefined ? { timeoutMs } : {}),
    ...(expiresAt !== undefined ? { expiresAt } : {}),
    ...(keepMs !== undefined ? { keepMs } : {}),
    ...(options.title ? { title: options.title } : {}),
    ...(options.metadata ? { metadata: options.metadata } : {}),
    ...(options.webhook ? { webhook: true } : {}),
    ...(tags?.length ? { tags: [...new Set(tags)] } : {}),
  });
  return {
    dueAt: delay > 0 ? now + delay : undefined,
    expiresAt,
    bullmq: {
      attempts: options.attempts ?? defaults.attempts ?? 1,
      // BullMQ counts the delay from the timestamp. This makes the due time equal to the published one.
      ...(delay > 0 ? { delay, timestamp: now } : {}),
      ...(options.priority ? { priority: options.priority } : {}),
      ...(backoff ? { backoff: bullmqBackoff(backoff) } : {}),
      headway: settings,
    },
  };
}

function bullmqBackoff({
  type,
  delayMs,
  jitter,
}: { [K in keyof Backoff]: Backoff[K] | undefined } & Backoff) {
  return { type, delay: delayMs, jitter: jitter ?? (type === 'exponential' ? 0.5 : 0) };
}
