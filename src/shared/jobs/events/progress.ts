import { z } from 'zod';
import { head } from './parts.js';

const count = z.number().min(0);

/** The data of a `progress` event. */
export const progressSchema = z
  .object({
    ...head,
    percent: z
      .number()
      .min(0)
      .max(100)
      .nullable()
      .describe('0 to 100, never falling within an attempt; `null` while nobody can say'),
    current: count.optional().describe('How much of `total` is done'),
    total: count.optional(),
    unit: z.string().optional().describe('What is counted'),
    stage: z.string().optional().describe('The present stage'),
    stageIndex: count.optional().describe('Its place, from 1'),
    stageCount: count.optional().describe('Stages that are known by now'),
    message: z.string().optional(),
    ratePerSecond: count.optional().describe('Of `current`, averaged'),
    etaMs: count.optional().describe('Remaining time, in ms'),
  })
  .describe('How far a job is');

/** The data of a `progress` event. Percent is 0-100, `null` while the job cannot say; times are ms. */
export type ProgressData = z.output<typeof progressSchema>;
