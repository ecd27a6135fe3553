import { z } from 'zod';
import { isLoopback } from './loopback.js';

const ms = () => z.coerce.number().int().min(0);

/** The settings that decide how a process stops. */
export const stopSettings = {
  DRAIN_DELAY_MS: z
    .union([z.literal(''), ms()])
    .default('')
    .describe(
      'How long an API process still accepts connections after SIGTERM, in ms. `/readyz` returns 503 meanwhile, so that load balancers stop sending requests. If empty, 0 if `HOST` is a loopback address and 5000 otherwise. Embedded servers: 0 if empty.',
    ),
  SHUTDOWN_GRACE_MS: ms()
    .default(10_000)
    .describe(
      'Grace period after SIGTERM, in ms; for an API process, it begins after `DRAIN_DELAY_MS`. A worker hands back the jobs that are still running then. An API process disconnects its viewers in the first half of the period, and waits until its end for open requests. Uploads that have not finished 1.5 s before that are refused with 503.',
    ),
};

/** How long after its grace period a process exits at the latest, whatever does not answer, in ms. */
export const CLOSE_MS = 7000;

/** How long a connection may be kept without a request, in ms: Node's default, and the second that newer versions add. */
export const KEPT_ALIVE_MS = 6000;

const DRAIN_MS = 5000;

interface DrainSettings {
  DRAIN_DELAY_MS: z.output<typeof stopSettings.DRAIN_DELAY_MS>;
  HOST: string;
}

/** Returns how long a process still accepts connections while it stops, in ms. */
export function drainDelayOf({ DRAIN_DELAY_MS, HOST }: DrainSettings): number {
  if (DRAIN_DELAY_MS !== '') return DRAIN_DELAY_MS;
  return isLoopback(HOST) ? 0 : DRAIN_MS;
}
