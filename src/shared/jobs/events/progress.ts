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
      .describe('0 to 100, never decreasing within an attempt; `null` while it is unknown'),
    current: count.optional().describe('The completed part of `total`'),
    total: count.optional(),
    unit: z.string().optional().describe('The unit of `current` and `total`'),
    stage: z.string().optional().describe('The name of the current stage'),
    stageIndex: count.optional().describe('The number of the current stage, from 1'),
    stageCount: count.optional().describe('The number of stages known so far'),
    message: z.string().optional(),
    ratePerSecond: count.optional().describe('The average rate of `current`'),
    etaMs: count.optional().describe('The estimated remaining time, in ms'),
  })
  .describe('The progress of a job');

/** The data of a `progress` event. `percent` is 0 to 100, `null` while unknown; times are in ms. */
export type ProgressData = z.output<typeof progressSchema>;
