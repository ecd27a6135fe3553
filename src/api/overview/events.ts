import { z } from 'zod';
import type { EventSpec } from '../../shared/jobs/events/job-events.js';
import { jobErrorSchema, time } from '../../shared/jobs/events/parts.js';
import { progressSchema } from '../../shared/jobs/events/progress.js';

/** The members of a job's progress that an overview shows. */
const shown = progressSchema
  .omit({ jobId: true, attempt: true, at: true, stageIndex: true, stageCount: true })
  .partial().shape;

/** The events of an overview: a stream of all jobs of an owner or a queue. They have no ids. */
export const overviewEvents = {
  job: {
    about: 'The state of one of the jobs',
    data: z.object({
      jobId: z.string(),
      name: z.string().optional(),
      state: z.string().describe('The state of the job, or `gone` when it has been removed'),
      attempt: z.number().int().optional(),
      startedAt: time.optional(),
      paused: z.literal(true).optional().describe('The job has not started because its queue is paused'),
      noWorker: z
        .literal(true)
        .optional()
        .describe('The job has not started because no worker serves its queue'),
      ...shown,
      error: jobErrorSchema.optional(),
    }),
  },
  jobs: {
    about: 'The number of unfinished jobs',
    data: z.object({ unfinished: z.number().int(), at: time }),
  },
} as const satisfies Record<string, EventSpec>;
