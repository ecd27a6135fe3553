import { z } from 'zod';
import { time } from '../../shared/jobs/events/parts.js';
import { scheduleChangeSchema, scheduleSchema } from '../schedules/body.js';
import { acceptedSchema, linksSchema, stateSchema } from './answers.js';
import { named } from './components.js';
import { acceptedExample, schedule, scheduleBody } from './examples.js';
import { jobOptionsSchema } from './kinds.js';
import { json, type Operation } from './operation.js';

const TAG = 'Schedules';

const ofJob = {
  data: scheduleSchema.shape.data.describe('The data of each job'),
  options: jobOptionsSchema
    .optional()
    .describe('The options of each job, except `delayMs`, `runAt`, `deduplicationKey` and `webhook`'),
};
const body = named(
  'NewSchedule',
  scheduleSchema.extend({ name: z.string().describe('The kind of job'), ...ofJob }),
);
const change = named(
  'ScheduleChange',
  scheduleChangeSchema
    .extend(ofJob)
    .describe('A field replaces the current value as a whole. `null` removes it'),
);
const scheduleAnswer = named(
  'Schedule',
  z.object({
    id: z.string(),
    name: z.string().describe('The kind of job'),
    state: z
      .enum(['active', 'paused', 'ended'])
      .describe('`ended`: the limit has been reached, or no run is due before `endAt`'),
    data: z.unknown(),
    options: jobOptionsSchema.optional(),
    cron: z.string().optional(),
    timeZone: z.string().optional(),
    everyMs: z.number().optional(),
    startAt: z.string().optional(),
    endAt: z.string().optional(),
    limit: z.number().optional(),
    key: z.string().optional(),
    createdAt: time,
    updatedAt: time,
    runs: z
      .number()
      .int()
      .describe('Number of runs that have started, or were cancelled or expired before they started'),
    nextRunAt: time.nullable(),
    nextRun: z
      .object({ id: z.string(), state: stateSchema, links: linksSchema })
      .nullable()
      .describe('The job of the next run'),
    lastRun: z
      .object({
        id: z.string(),
        dueAt: time,
        state: z.union([stateSchema, z.literal('gone')]),
        links: linksSchema,
      })
      .nullable(),
    links: z.object({ self: z.string(), pause: z.string(), resume: z.string(), run: z.string() }),
  }),
);
const page = named(
  'SchedulePage',
  z.object({
    schedules: z.array(scheduleAnswer),
    next: z.string().optional().describe('Cursor of the next page. Absent on the last page'),
  }),
);

/** The error codes of a request with the job and the times of a schedule. */
const OF_BODY = [
  'unknown-job',
  'invalid-data',
  'limit-exceeded',
  'unknown-file',
  'forbidden',
  'quota-exceeded',
] as const;
const one = json(scheduleAnswer, schedule);

function ofSchedule(verb: 'pause' | 'resume', summary: string, description: string): Operation {
  return {
    method: 'post',
    path: `/v1/schedules/{id}/${verb}`,
    id: `${verb}Schedule`,
    audit: `schedule.${verb}`,
    tag: TAG,
    summary,
    description: `No request body. ${description} Idempotent.`,
    access: 'caller',
    parameters: ['scheduleId'],
    answers: { 200: { description: 'The schedule', content: one } },
    errors: ['not-found', ...(verb === 'resume' ? (['forbidden'] as const) : [])],
  };
}

/** `/v1/schedules`: recurring jobs. */
export const scheduleOperations: Operation[] = [
  {
    method: 'post',
    path: '/v1/schedules',
    id: 'createSchedule',
    audit: 'schedule.create',
    startsWork: true,
    tag: TAG,
    summary: 'Create or change a schedule',
    description:
      'Starts a job repeatedly, as given by `cron` or `everyMs`. If the caller already has a schedule with the same `key`, that schedule is replaced.',
    access: 'caller',
    body: { content: json(body, scheduleBody) },
    answers: {
      200: { description: 'The changed schedule with this key', headers: ['Location'], content: one },
      201: { description: 'The new schedule', headers: ['Location', 'Set-Cookie'], content: one },
    },
    errors: [...OF_BODY],
  },
  {
    method: 'get',
    path: '/v1/schedules',
    id: 'listSchedules',
    tag: TAG,
    summary: "List the caller's schedules, newest first",
    description: 'Returns all schedules to an admin.',
    access: 'caller',
    parameters: [
      {
        name: 'limit',
        in: 'query',
        description: 'Maximum number of schedules per page',
        schema: { type: 'integer', minimum: 1, maximum: 200, default: 50 },
      },
      {
        name: 'cursor',
        in: 'query',
        description: 'The `next` of the previous page',
        schema: { type: 'string' },
      },
    ],
    answers: { 200: { description: 'A page of schedules', content: json(page, { schedules: [schedule] }) } },
    errors: ['invalid-request'],
  },
  {
    method: 'get',
    path: '/v1/schedules/{id}',
    id: 'showSchedule',
    tag: TAG,
    summary: 'Get a schedule',
    access: 'caller',
    parameters: ['scheduleId'],
    answers: { 200: { description: 'The schedule', content: one } },
    errors: ['not-found'],
  },
  {
    method: 'patch',
    path: '/v1/schedules/{id}',
    id: 'changeSchedule',
    audit: 'schedule.change',
    tag: TAG,
    summary: 'Change a schedule',
    description: 'Setting `cron` removes `everyMs`, and vice versa.',
    access: 'caller',
    parameters: ['scheduleId'],
    body: { content: json(change, { cron: '0 10 * * MON-FRI', limit: null }) },
    answers: { 200: { description: 'The schedule', content: one } },
    errors: ['not-found', ...OF_BODY],
  },
  {
    method: 'delete',
    path: '/v1/schedules/{id}',
    id: 'deleteSchedule',
    audit: 'schedule.remove',
    tag: TAG,
    summary: 'Delete a schedule',
    access: 'caller',
    parameters: ['scheduleId'],
    answers: { 204: { description: 'The schedule is deleted and its next run is cancelled' } },
    errors: ['not-found'],
  },
  ofSchedule('pause', 'Pause a schedule', 'The next run is cancelled.'),
  ofSchedule(
    'resume',
    'Resume a schedule',
    'The schedule continues with the first run that is due from now on. Missed runs are not made up.',
  ),
  {
    method: 'post',
    path: '/v1/schedules/{id}/run',
    id: 'runSchedule',
    audit: 'schedule.run',
    startsWork: true,
    tag: TAG,
    summary: 'Start the job of a schedule now',
    description: 'No request body. The job does not count as a run of the schedule.',
    access: 'caller',
    parameters: ['scheduleId'],
    answers: {
      202: {
        description: 'The job is queued',
        headers: ['Location'],
        content: json(acceptedSchema, acceptedExample),
      },
    },
    errors: ['not-found', ...OF_BODY],
  },
];
