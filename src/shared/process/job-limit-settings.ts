import { z } from 'zod';
import { MAX_TIMER_MS } from '../jobs/settings.js';

const DAY_MS = 24 * 3_600_000;

/** The settings that limit what one job may take. */
export const jobLimitSettings = {
  JOB_TIMEOUT_MS: z.coerce
    .number()
    .int()
    .min(0)
    .max(MAX_TIMER_MS)
    .default(DAY_MS)
    .describe(
      'Maximum time of a run for jobs without a `timeoutMs` in their definition or options, in ms. A run that takes longer fails with the code `timeout`. Callers who are not signed in cannot ask for more. `0` means no limit. API and workers need the same value.',
    ),
  THREAD_MEMORY_MB: z.coerce
    .number()
    .int()
    .min(16)
    .max(1024 * 1024)
    .default(1024)
    .describe(
      'Maximum memory of a job with `thread: true`, in MiB of 1,048,576 bytes: JavaScript objects and buffers together. A run that exceeds it fails with the code `memory`, and its thread ends. The `memoryMb` of a job definition takes precedence.',
    ),
};
