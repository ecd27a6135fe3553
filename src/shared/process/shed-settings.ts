import { z } from 'zod';

/** The settings that decide when an API process counts as overloaded. */
export const shedSettings = {
  SHED_LOOP_DELAY_MS: z.coerce
    .number()
    .int()
    .min(0)
    .default(500)
    .describe(
      'Median event-loop delay from which an API process refuses new streams with 503, in ms; from twice the delay, new jobs too. `0` turns the check off.',
    ),
  SHED_MEMORY_PERCENT: z.coerce
    .number()
    .int()
    .min(0)
    .max(100)
    .default(90)
    .describe(
      'Share of the memory limit (of V8; of the container or machine, divided by `API_PROCESSES`) from which an API process refuses new streams with 503, in percent; from halfway between it and 100, new jobs too. `0` turns the check off.',
    ),
};
