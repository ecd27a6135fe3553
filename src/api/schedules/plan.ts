import { HeadwayError } from '../../shared/errors.js';
import { queueOptions } from '../../shared/jobs/options.js';
import type { QueuePlan } from '../../shared/jobs/queues.js';
import type { Schedule, Timing } from '../../shared/schedules/schedule.js';
import { nextDue, timingErrors } from '../../shared/schedules/timing.js';
import { invalid } from '../http/invalid.js';
import { canonicalJson } from '../jobs/idempotency.js';
import type { JobRequest } from '../jobs/start.js';
import type { ScheduleBody } from './body.js';

/** What a body says of a schedule, without its history. */
export type Planned = Omit<
  Schedule,
  'id' | 'paused' | 'createdAt' | 'updatedAt' | 'version' | 'timedIn' | 'deletedAt'
>;

/**
 * Makes a schedule of a body.
 * @param request the job that it is to start, as checked
 * @throws HeadwayError `invalid-request` for a time that is none
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
  // A run's time is counted from when it is due, which its template does not know.
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

/** The body that would make this schedule. */
export function bodyOf(schedule: Schedule): ScheduleBody {
  const { name, data, options, cron, everyMs, timeZone, startAt, endAt, limit, key } = schedule;
  const body = { name, data, options, cron, everyMs, timeZone, startAt, endAt, limit, key };
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined)) as ScheduleBody;
}

/**
 * What becomes of a schedule that is planned anew; `undefined` when nothing does.
 * @throws HeadwayError `invalid-request` when it is for another kind of job
 */
export function replan(present: Schedule, planned: Planned, now: number): Schedule | undefined {
  if (planned.name !== present.name) {
    throw invalid([
      {
        pointer: '/name',
        detail: `the schedule with this key is one of the job ${present.name}: use another key`,
      },
    ]);
  }
  const sameTime = canonicalJson(timeOf(present)) === canonicalJson(timeOf(planned));
  const next: Schedule = {
    ...planned,
    id: present.id,
    // Should its kind be in another by now: the leader moves it, so that it is never in two.
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

/** A new interval is waited for: it has been running, and the change is no reason to run at once. */
function firstAfterChange({ firstAt, everyMs }: Planned, now: number): number {
  return everyMs !== undefined && firstAt <= now ? now + everyMs : firstAt;
}

/** A schedule that is paused or goes on; `undefined` when it is so already. What it missed is not caught up. */
export function pausedAs(present: Schedule, paused: boolean, now: number): Schedule | undefined {
  if (present.paused === paused) return undefined;
  const version = present.version + 1;
  const resumes = !paused && present.everyMs !== undefined && present.firstAt <= now;
  const { endAt: _, ...endless } = present;
  const firstAt = resumes ? nextDue(endless, now)! : present.firstAt;
  return { ...present, paused, firstAt, version, updatedAt: now };
}

/** The same answer for a schedule that does not exist and one that is somebody else's. */
export const scheduleNotFound = (): HeadwayError =>
  new HeadwayError('not-found', 'There is no such schedule, or it is not yours.');
