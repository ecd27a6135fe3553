import { HeadwayError } from '../../shared/errors.js';
import { queueOptions } from '../../shared/jobs/options.js';
import type { QueuePlan } from '../../shared/jobs/queues.js';
import type { Schedule, Timing } from '../../shared/schedules/schedule.js';
import { nextDue, nextInterval, timingErrors } from '../../shared/schedules/timing.js';
import { invalid } from '../http/invalid.js';
import { canonicalJson } from '../jobs/idempotency.js';
import type { JobRequest } from '../jobs/start.js';
import type { ScheduleBody } from './body.js';

/** The part of a schedule that its body determines. */
export type Planned = Omit<
  Schedule,
  'id' | 'origin' | 'paused' | 'createdAt' | 'updatedAt' | 'version' | 'timedIn' | 'deletedAt'
>;

/**
 * Plans the schedule that a body describes.
 * @param request the validated job of the schedule
 * @throws HeadwayError `invalid-request` for invalid times
 */
export function planSchedule(
  body: ScheduleBody,
  { definition, data, options, caller }: JobRequest,
  plan: QueuePlan,
  now: number,
): Planned {
  const { cron, everyMs, timeZone, startAt, endAt, limit, key } = body;
  const timing: Timing = {
    ...(cron === undefined ? {} : { cron }),
    ...(timeZone === undefined ? {} : { timeZone }),
    ...(everyMs === undefined ? {} : { everyMs }),
    ...(startAt === undefined ? {} : { startAt }),
    ...(endAt === undefined ? {} : { endAt }),
    firstAt: startAt === undefined ? now : Date.parse(startAt),
  };
  const errors = timingErrors(timing, now);
  if (errors.length > 0) throw invalid(errors.map(({ field, detail }) => ({ pointer: `/${field}`, detail })));
  if (everyMs !== undefined && timing.firstAt < now) timing.firstAt = nextDue(timing, now) ?? now;
  const ttlMs = options.ttlMs ?? definition.defaults?.ttlMs;
  // `ttlMs` counts from the due time of each run, which the template does not know.
  const { ttlMs: _, ...otherOptions } = options;
  const { ttlMs: __, ...otherDefaults } = definition.defaults ?? {};
  const { bullmq } = queueOptions(otherOptions, otherDefaults, caller.id);
  return {
    ...timing,
    name: definition.name,
    queue: plan.of(definition.name),
    owner: caller.id,
    ...(key === undefined ? {} : { key }),
    data,
    options,
    template: { ...bullmq, headway: { ...bullmq.headway, ...(ttlMs === undefined ? {} : { ttlMs }) } },
    ...(limit === undefined ? {} : { limit }),
  };
}

/** Returns the body that describes a schedule. */
export function bodyOf(schedule: Schedule): ScheduleBody {
  const { name, data, options, cron, everyMs, timeZone, startAt, endAt, limit, key } = schedule;
  const body = { name, data, options, cron, everyMs, timeZone, startAt, endAt, limit, key };
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined)) as ScheduleBody;
}

/**
 * Applies a new plan to a schedule. Returns `undefined` when nothing changes.
 * @throws HeadwayError `invalid-request` when the plan is for another kind of job
 */
export function replan(present: Schedule, planned: Planned, now: number): Schedule | undefined {
  if (planned.name !== present.name) {
    throw invalid([
      {
        pointer: '/name',
        detail: `must be ${present.name}, the kind of job of the schedule with this key; use another key`,
      },
    ]);
  }
  const sameTime = canonicalJson(timeOf(present)) === canonicalJson(timeOf(planned));
  const next: Schedule = {
    ...planned,
    id: present.id,
    ...(present.origin === undefined ? {} : { origin: present.origin }),
    // If the kind of job has moved to another queue, the leader moves the schedule, so that it is never in two queues.
    queue: present.queue,
    paused: present.paused,
    createdAt: present.createdAt,
    updatedAt: present.updatedAt,
    version: present.version,
    timedIn: present.timedIn,
    firstAt: sameTime ? present.firstAt : firstAfterChange(planned, now),
  };
  if (canonicalJson(next) === canonicalJson(present)) return undefined;
  const version = present.version + 1;
  return { ...next, version, updatedAt: now, timedIn: sameTime ? present.timedIn : version };
}

const timeOf = ({ cron, timeZone, everyMs, startAt }: Timing) => ({ cron, timeZone, everyMs, startAt });

/** A changed interval counts from now: changing a running schedule does not start a run. */
function firstAfterChange({ firstAt, everyMs }: Planned, now: number): number {
  return everyMs !== undefined && firstAt <= now ? now + everyMs : firstAt;
}

/** Pauses or resumes a schedule. Returns `undefined` when nothing changes. Missed runs are not made up. */
export function withPaused(present: Schedule, paused: boolean, now: number): Schedule | undefined {
  if (present.paused === paused) return undefined;
  const version = present.version + 1;
  const { cron, everyMs } = present;
  const resumes = !paused && cron === undefined && everyMs !== undefined && present.firstAt <= now;
  const firstAt = resumes ? nextInterval(everyMs, present.firstAt, now) : present.firstAt;
  return { ...present, paused, firstAt, version, updatedAt: now };
}

/** The error for a schedule that does not exist, and for one of another owner: they look the same. */
export const scheduleNotFound = (): HeadwayError =>
  new HeadwayError('not-found', 'No such schedule, or it belongs to another owner.');
