import { z } from 'zod';
import type { EventSpec } from './job-events.js';
import { time } from './parts.js';

/** What a stream of all jobs of somebody, or of a queue, tells of them. These have no id. */
export const crowdEvents = {
  job: {
    about: 'Where one of the jobs stands',
    data: z.object({
      jobId: z.string(),
      name: z.string().optional(),
      state: z.string().describe('A state of a job, or `gone`: nothing more is known of it'),
      attempt: z.number().int().optional(),
      startedAt: time.optional(),
      percent: z.number().nullable().optional(),
      current: z.number().optional(),
      total: z.number().optional(),
      unit: z.string().optional(),
      stage: z.string().optional(),
      message: z.string().optional(),
      ratePerSecond: z.number().optional(),
      etaMs: z.number().optional(),
      error: z.object({ message: z.string(), code: z.string().optional() }).optional(),
    }),
  },
  jobs: {
    about: 'How many of them have not ended',
    data: z.object({ unfinished: z.number().int(), at: time }),
  },
} as const satisfies Record<string, EventSpec>;
