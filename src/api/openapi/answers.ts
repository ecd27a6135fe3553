import { z } from 'zod';
import { queuePosition } from '../../shared/jobs/events/job-events.js';
import { jobErrorSchema, time } from '../../shared/jobs/events/parts.js';
import { progressSchema } from '../../shared/jobs/events/progress.js';
import { JOB_STATES } from '../../shared/jobs/states.js';
import { named } from './components.js';

named('Progress', progressSchema);
named('JobError', jobErrorSchema);

export const stateSchema = named('JobState', z.enum(JOB_STATES));

/** The paths of a job's resources. */
export const linksSchema = named(
  'JobLinks',
  z.object({
    self: z.string(),
    events: z.string(),
    cancel: z.string(),
    result: z.string(),
    parent: z.string().optional().describe('Children only: the path of the parent'),
  }),
);

const id = z.string().describe("The job's id");
const name = z.string().describe('The kind of job');

/** The answer to a request that starts a job. */
export const acceptedSchema = named(
  'AcceptedJob',
  z.object({
    id,
    name,
    state: stateSchema,
    deduplicated: z
      .literal(true)
      .optional()
      .describe('This is an existing job with the same deduplication key'),
    links: linksSchema,
    token: z.string().describe('Gives access to the job. Keep it secret'),
  }),
);

/** The answer of `GET /v1/jobs/{id}`. */
export const jobSchema = named(
  'Job',
  z.object({
    id,
    name,
    state: stateSchema,
    progress: progressSchema.nullable(),
    attempt: z.number().int().describe('Number of attempts that have started'),
    attempts: z.number().int().describe('Maximum number of attempts'),
    createdAt: time,
    dueAt: time.optional().describe('Delayed jobs only: when the job is due'),
    startedAt: time.optional(),
    finishedAt: time.optional(),
    result: z.unknown().optional().describe('Completed jobs only: the result, as defined by the kind of job'),
    error: jobErrorSchema.optional(),
    data: z.unknown().optional().describe('With `include=data`, for admins only: the data of the job'),
    children: z
      .object({
        total: z.number().int(),
        pending: z.number().int(),
        completed: z.number().int(),
        failed: z.number().int(),
      })
      .optional()
      .describe('Jobs with children only: the number of children'),
    parent: z.string().optional().describe('Children only: the id of the parent'),
    cancelling: z
      .literal(true)
      .optional()
      .describe('Cancellation was requested and the job has not stopped yet'),
    paused: z.literal(true).optional().describe('The job has not started because its queue is paused'),
    noWorker: z
      .literal(true)
      .optional()
      .describe('The job has not started because no worker serves its queue'),
    ...queuePosition,
    title: z.string().optional(),
    tags: z.array(z.string()).optional(),
    metadata: z.record(z.string(), z.unknown()).optional(),
    expiresAt: time.optional().describe('The job fails if it has not started by then'),
    schedule: z.string().optional().describe('The id of the schedule that started this run'),
    webhook: z
      .object({ id, state: stateSchema, attempt: z.number().int(), links: linksSchema })
      .optional()
      .describe('The delivery that reports the end of this job'),
    links: linksSchema,
  }),
);

/** An uploaded file. */
export const fileSchema = named(
  'File',
  z.object({
    id: z.string().describe('Gives access to the file. Keep it secret'),
    name: z.string(),
    size: z.number().int().describe('Size in bytes'),
    sha256: z.string().describe('SHA-256 digest in hexadecimal'),
  }),
);
