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
const everyMs = z
  .number()
  .int()
  .min(MIN_EVERY_MS)
  .max(YEAR_MS)
  .describe('Interval in ms, in place of `cron`');
const timeZone = z.string().max(60).describe('With `cron`: an IANA name; `UTC` unless given');
const time = z.iso.datetime({ offset: true }).describe('RFC 3339, with a zone');
const limit = z.number().int().min(1).max(1_000_000_000).describe('Runs at most');

/** The body of `POST /v1/schedules`. `name`, `data` and `options` are looked at as those of a job are. */
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
    .describe("The caller's own: the same key again changes that schedule"),
});

/** The body of `PATCH /v1/schedules/:id`: a field that is there takes the place of what was, `null` removes it. */
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

/** @throws HeadwayError `invalid-request` */
export const parseBody = (body: unknown): Promise<ScheduleBody> => requireValid(scheduleSchema, body ?? {});

/** @throws HeadwayError `invalid-request` */
export const parseChange = (body: unknown): Promise<ScheduleChange> =>
  requireValid(scheduleChangeSchema, body ?? {});

/** What a change makes of a body: one of cron and interval drives out the other. */
export function changed(body: ScheduleBody, change: ScheduleChange): ScheduleBody {
  const merged: Record<string, unknown> = { ...body, ...change };
  if (change.cron && change.everyMs === undefined) delete merged.everyMs;
  if (change.everyMs && change.cron === undefined) {
    delete merged.cron;
    if (change.timeZone === undefined) delete merged.timeZone;
  }
  return Object.fromEntries(
    // `null` is a value where the data is concerned.
    Object.entries(merged).filter(
      ([field, value]) => value !== undefined && (value !== null || field === 'data'),
    ),
  ) as ScheduleBody;
}

const SENSELESS: Record<string, string> = {
  delayMs: 'has no meaning for a schedule: startAt says from when it runs',
  runAt: 'has no meaning for a schedule: startAt says from when it runs',
  deduplicationKey: 'has no meaning for a schedule: give the schedule itself a key',
  webhook: 'is not possible for a schedule: watch its runs',
};

/** The options that one job may have and a schedule may not. */
export function senselessOptions(options: unknown): FieldError[] {
  if (options === null || typeof options !== 'object') return [];
  return Object.entries(SENSELESS).flatMap(([option, detail]) =>
    option in options ? [{ pointer: `/options/${option}`, detail }] : [],
  );
}
