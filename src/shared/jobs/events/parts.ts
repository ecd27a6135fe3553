import { z } from 'zod';

/** A time as all events and answers have it. */
export const time = z.number().describe('ms since 1970');

/** What the data of every event of a job has. */
export const head = {
  jobId: z.string().describe("The job's id"),
  attempt: z.number().int().min(0).describe('Runs begun when it happened; 0 before the first'),
  at: time,
};

/** Why a job, or an attempt of it, failed. */
export const jobErrorSchema = z
  .object({
    message: z.string(),
    code: z
      .string()
      .optional()
      .describe(
        'For programs: `timeout`, `expired`, `permanent`, `stalled`; of a child that was cancelled, `cancelled`',
      ),
  })
  .describe('Why a job, or an attempt of it, failed');
