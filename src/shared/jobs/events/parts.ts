import { z } from 'zod';

/** A time in events and responses. */
export const time = z.number().describe('ms since 1970');

/** The fields that the data of every job event has. */
export const head = {
  jobId: z.string().describe("The job's id"),
  attempt: z.number().int().min(0).describe('The number of runs started so far; 0 before the first'),
  at: time,
};

/** The error of a failed job or attempt. */
export const jobErrorSchema = z
  .object({
    message: z.string(),
    code: z
      .string()
      .optional()
      .describe(
        'A stable code: `timeout`, `memory`, `expired`, `permanent` or `stalled`; `cancelled` for a child that was cancelled',
      ),
  })
  .describe('Why the job or attempt failed');
