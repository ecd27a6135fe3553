import { z } from 'zod';
import { jobErrorSchema, time } from '../../shared/jobs/events/parts.js';
import { progressSchema } from '../../shared/jobs/events/progress.js';
import { JOB_STATES } from '../../shared/jobs/states.js';
import { named } from './components.js';

named('Progress', progressSchema);
named('JobError', jobErrorSchema);

export const stateSchema = named('JobState', z.enum(JOB_STATES));

/** Where a job's resources are, relative to the service. */
export const linksSchema = named(
  'JobLinks',
  z.object({
    self: z.string(),
    events: z.string(),
    cancel: z.string(),
    result: z.string(),
    parent: z.string().optional().describe('Of a child: its parent'),
  }),
);

const id = z.string().describe("The job's id");
const name = z.string().describe('The kind of job');

/** What a start is answered with. */
export const acceptedSchema = named(
  'AcceptedJob',
  z.object({
    id,
    name,
    state: stateSchema,
    deduplicated: z
      .literal(true)
      .optional()
      .describe('It is another job, started before with the same deduplication key'),
    links: linksSchema,
    token: z.string().describe('Opens the job to whoever has it'),
  }),
);

/** A job as `GET /v1/jobs/{id}` shows it. */
export const jobSchema = named(
  'Job',
  z.object({
    id,
    name,
    state: stateSchema,
    progress: progressSchema.nullable(),
    attempt: z.number().int().describe('Runs begun'),
    attempts: z.number().int().describe('Runs at most'),
    createdAt: time,
    dueAt: time.optional().describe('Of a delayed job: when it is due'),
    startedAt: time.optional(),
    finishedAt: time.optional(),
    result: z.unknown().optional().describe('Of a completed job: as its definition says'),
    error: jobErrorSchema.optional(),
    children: z
      .object({
        total: z.number().int(),
        pending: z.number().int(),
        completed: z.number().int(),
        failed: z.number().int(),
      })
      .optional()
      .describe('Of a job with children: how many there are'),
    parent: z.string().optional().describe('Of a child: the id of its parent'),
    cancelling: z.literal(true).optional().describe('It was asked to stop'),
    paused: z.literal(true).optional().describe('Its queue is paused, and it has yet to begin'),
    noWorker: z.literal(true).optional().describe('No worker serves its queue, and it has yet to begin'),
    tags: z.array(z.string()).optional(),
    metadata: z.record(z.string(), z.unknown()).optional(),
    expiresAt: time.optional().describe('Not begun by then, it fails'),
    schedule: z.string().optional().describe('The id of the schedule that it is a run of'),
    webhook: z
      .object({ id, state: stateSchema, attempt: z.number().int(), links: linksSchema })
      .optional()
      .describe('The job that tells of this end'),
    links: linksSchema,
  }),
);

/** A file that was uploaded. */
export const fileSchema = named(
  'File',
  z.object({
    id: z.string().describe('A secret: whoever has it may use the file'),
    name: z.string(),
    size: z.number().int().describe('In bytes'),
    sha256: z.string().describe('In hexadecimal'),
  }),
);
