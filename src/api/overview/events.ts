import { z } from 'zod';
import type { EventSpec } from '../../shared/jobs/events/job-events.js';
import { jobErrorSchema, time } from '../../shared/jobs/events/parts.js';
import { progressSchema } from '../../shared/jobs/events/progress.js';

/** What of its progress is told. */
const shown = progressSchema
  .omit({ jobId: true, attempt: true, at: true, stageIndex: true, stageCount: true })
  .partial().shape;

/** What a stream of all jobs of somebody, or of a queue, tells of them. These have no id. */
export const overviewEvents = {
  job: {
    about: 'Where one of the jobs stands',
    data: z.object({
      jobId: z.string(),
      name: z.string().optional(),
      state: z.string().describe('A state of a job, or `gone`: nothing more is known of it'),
      attempt: z.number().int().optional(),
      startedAt: time.optional(),
      paused: z.literal(true).optional().describe('It has yet to begin, and its queue is paused'),
      noWorker: z.literal(true).optional().describe('It has yet to begin, and no worker serves its queue'),
      ...shown,
      error: jobErrorSchema.optional(),
    }),
  },
  jobs: {
    about: 'How many of them have not ended',
    data: z.object({ unfinished: z.number().int(), at: time }),
  },
} as const satisfies Record<string, EventSpec>;
