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
  data: scheduleSchema.shape.data.describe('As that of the job'),
  options: jobOptionsSchema
    .optional()
    .describe('As those of the job, without `delayMs`, `runAt`, `deduplicationKey` and `webhook`'),
};
const body = named(
  'NewSchedule',
  scheduleSchema.extend({ name: z.string().describe('Which kind of job'), ...ofJob }),
);
const change = named(
  'ScheduleChange',
  scheduleChangeSchema
    .extend(ofJob)
    .describe('A field takes the place of what was, as a whole; `null` removes it'),
);
const scheduleAnswer = named(
  'Schedule',
  z.object({
    id: z.string(),
    name: z.string().describe('The kind of job'),
    state: z
      .enum(['active', 'paused', 'ended'])
      .describe('`ended`: the limit is reached, or nothing more is due until `endAt`'),
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
    runs: z.number().int().describe('Runs that have begun, or were cancelled or expired before that'),
    nextRunAt: time.nullable(),
    nextRun: z
      .object({ id: z.string(), state: stateSchema, links: linksSchema })
      .nullable()
      .describe('The job that is to run next'),
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
    next: z.string().optional().describe('The `cursor` of the next page; there is none without'),
  }),
);

/** What is wrong with the job of a schedule, or with its times. */
const OF_BODY = ['unknown-job', 'invalid-data', 'unknown-file', 'forbidden'] as const;
const one = json(scheduleAnswer, schedule);

function ofSchedule(verb: 'pause' | 'resume', summary: string, description: string): Operation {
  return {
    method: 'post',
    path: `/v1/schedules/{id}/${verb}`,
    id: `${verb}Schedule`,
    tag: TAG,
    summary,
    description: `No body. ${description} Again: the same answer.`,
    access: 'caller',
    parameters: ['scheduleId'],
    answers: { 200: { description: 'The schedule', content: one } },
    errors: ['not-found'],
  };
}

/** `/v1/schedules`: recurring jobs. */
export const scheduleOperations: Operation[] = [
  {
    method: 'post',
    path: '/v1/schedules',
    id: 'createSchedule',
    tag: TAG,
    summary: 'Start a job again and again',
    description:
      'By `cron` or `everyMs`. With a `key` that the caller has used before, that schedule is changed to what the body says.',
    access: 'caller',
    body: { content: json(body, scheduleBody) },
    answers: {
      200: { description: 'The schedule with this key, changed', headers: ['Location'], content: one },
      201: { description: 'The schedule', headers: ['Location', 'Set-Cookie'], content: one },
    },
    errors: [...OF_BODY],
  },
  {
    method: 'get',
    path: '/v1/schedules',
    id: 'listSchedules',
    tag: TAG,
    summary: "The caller's schedules, newest first",
    description: "An admin's: all.",
    access: 'caller',
    parameters: [
      {
        name: 'limit',
        in: 'query',
        description: 'Schedules a page',
        schema: { type: 'integer', minimum: 1, maximum: 200, default: 50 },
      },
      { name: 'cursor', in: 'query', description: '`next` of the page before', schema: { type: 'string' } },
    ],
    answers: { 200: { description: 'A page of schedules', content: json(page, { schedules: [schedule] }) } },
    errors: ['invalid-request'],
  },
  {
    method: 'get',
    path: '/v1/schedules/{id}',
    id: 'showSchedule',
    tag: TAG,
    summary: 'A schedule',
    access: 'caller',
    parameters: ['scheduleId'],
    answers: { 200: { description: 'The schedule', content: one } },
    errors: ['not-found'],
  },
  {
    method: 'patch',
    path: '/v1/schedules/{id}',
    id: 'changeSchedule',
    tag: TAG,
    summary: 'Change a schedule',
    description: '`cron` drives out `everyMs`, and the other way.',
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
    tag: TAG,
    summary: 'Delete a schedule',
    access: 'caller',
    parameters: ['scheduleId'],
    answers: { 204: { description: 'It is gone; the run that was to come is withdrawn' } },
    errors: ['not-found'],
  },
  ofSchedule('pause', 'Pause a schedule', 'The run that was to come is withdrawn.'),
  ofSchedule('resume', 'Resume a schedule', 'It goes on with the first run that is due from then on.'),
  {
    method: 'post',
    path: '/v1/schedules/{id}/run',
    id: 'runSchedule',
    tag: TAG,
    summary: 'Start the job of a schedule now',
    description: 'No body. A job of its own, which does not count as a run.',
    access: 'caller',
    parameters: ['scheduleId'],
    answers: {
      202: {
        description: 'It is queued',
        headers: ['Location', 'Set-Cookie'],
        content: json(acceptedSchema, acceptedExample),
      },
    },
    errors: ['not-found', ...OF_BODY],
  },
];
