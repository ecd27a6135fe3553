import { z } from 'zod';
import { availableCores } from './cores.js';

/** Each process takes 100 MB or more: a larger number is a mistake. */
const MOST = 256;

/** A number of processes, or `max`. */
const processes = (description: string) =>
  z
    .string()
    .refine(
      (text) => text === 'max' || (/^[1-9]\d*$/.test(text) && Number(text) <= MOST),
      `must be a number from 1 to ${MOST}, or max`,
    )
    .transform((text): number | 'max' => (text === 'max' ? text : Number(text)))
    .default(1)
    .describe(description);

/** The settings for using several cores. */
export const processSettings = {
  API_PROCESSES: processes(
    'Number of API processes that share `PORT`, under a supervisor that replaces crashed ones and, on SIGHUP, all of them one at a time. `max` starts one per CPU core that the process may use. With `1`, there is no supervisor. Ignored by embedded servers.',
  ),
  WORKER_PROCESSES: processes(
    'Number of worker processes, under a supervisor as with `API_PROCESSES`. Each one runs up to `WORKER_CONCURRENCY` jobs of each queue. Ignored by embedded workers.',
  ),
};

/** Returns the number of processes that a setting stands for. */
export const processCount = (setting: number | 'max'): number =>
  setting === 'max' ? availableCores() : setting;
