import { z } from 'zod';
import type { FieldError } from '../../shared/errors.js';
import { MIN_EVERY_MS } from '../../shared/schedules/timing.js';
import { requireValid } from '../http/invalid.js';

const YEAR_MS = 365 * 24 * 3_600_000;

const cron = z
  .string()
  .max(200)
  .transform((text) => text.trim().split(/\s+/).join(' '))
  .describe('Five fields (minute, hour, day of month, month, day of week), or six with seconds first');
const everyMs = z.number().int().min(MIN_EVERY_MS).max(YEAR_MS).describe('Interval in ms, instead of `cron`');
const timeZone = z.string().max(60).describe('`cron` only: an IANA time zone. Defaults to `UTC`');
const time = z.iso.datetime({ offset: true }).describe('RFC 3339 with an offset');
const limit = z.number().int().min(1).max(1_000_000_000).describe('Maximum number of runs');

/** The body of `POST /v1/schedules`. `name`, `data` and `options` are validated like those of a job. */
export const scheduleSchema = z.strictObject({
  name: z.unknown(),
  data: z.unknown().optional(),
  options: z.unknown().optional(),
  cron: cron.optional(),
  everyMs: everyMs.optional(),
  timeZone: timeZone.optional(),
  startAt: time.optional(),
  endAt: time.optional(),
  limit: limit.optional(),
  key: z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 visible ASCII characters')
    .optional()
    .describe("A key of the caller's choice. Using the same key again replaces the schedule"),
});

/** The body of `PATCH /v1/schedules/:id`. A field replaces the current value; `null` removes it. */
export const scheduleChangeSchema = z.strictObject({
  data: z.unknown().optional(),
  options: z.unknown().optional(),
  cron: cron.nullable().optional(),
  everyMs: everyMs.nullable().optional(),
  timeZone: timeZone.nullable().optional(),
  startAt: time.nullable().optional(),
  endAt: time.nullable().optional(),
  limit: limit.nullable().optional(),
});

export type ScheduleBody = z.output<typeof scheduleSchema>;
export type ScheduleChange = z.output<typeof scheduleChangeSchema>;

/** Validates the body of a new schedule. @throws HeadwayError `invalid-request` */
export const parseBody = (body: unknown): Promise<ScheduleBody> => requireValid(scheduleSchema, body ?? {});

/** Validates the body of a change. @throws HeadwayError `invalid-request` */
export const parseChange = (body: unknown): Promise<ScheduleChange> =>
  requireValid(scheduleChangeSchema, body ?? {});

/** Applies a change to a body. Setting `cron` removes `everyMs`, and vice versa. */
export function applyChange(body: ScheduleBody, change: ScheduleChange): ScheduleBody {
  const merged: Record<string, unknown> = { ...body, ...change };
  if (change.cron && change.everyMs === undefined) delete merged.everyMs;
  if (change.everyMs && change.cron === undefined) {
    delete merged.cron;
    if (change.timeZone === undefined) delete merged.timeZone;
  }
  return Object.fromEntries(
    // As data, `null` is a value.
    Object.entries(merged).filter(
      ([field, value]) => value !== undefined && (value !== null || field === 'data'),
    ),
  ) as ScheduleBody;
}

const JOB_ONLY: Record<string, string> = {
  delayMs: 'is not allowed for a schedule; use startAt',
  runAt: 'is not allowed for a schedule; use startAt',
  deduplicationKey: 'is not allowed for a schedule; use key',
  webhook: 'is not allowed for a schedule; watch its runs',
};

/** Returns an error for each option that a job may have and a schedule may not. */
export function forbiddenOptions(options: unknown): FieldError[] {
  if (options === null || typeof options !== 'object') return [];
  return Object.entries(JOB_ONLY).flatMap(([option, detail]) =>
    option in options ? [{ pointer: `/options/${option}`, detail }] : [],
  );
}
