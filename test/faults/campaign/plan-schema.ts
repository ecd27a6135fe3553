import { z } from 'zod';

const count = z.number().int().min(0).max(5000);

/** The data of the campaign's jobs, which determines what `runPlan` does. */
export const plan = z.strictObject({
  label: z.string(),
  /** The id of the job that started this one. */
  parent: z.string().optional(),
  rounds: count,
  /** Reports of each kind in a round. */
  each: z.strictObject({ log: count.default(0), event: count.default(0), partial: count.default(0) }),
  pauseMs: z.number().int().min(0).max(10_000),
  /** Length of the padding in each event and chunk. */
  pad: z.number().int().min(0).max(62_000).default(0),
  /** How many runs throw. */
  fails: z.number().int().min(0).default(0),
  /** Whether chunks are text. */
  text: z.boolean().default(false),
  children: z.number().int().min(0).max(10).default(0),
});
export const result = z.object({ run: z.string() });
