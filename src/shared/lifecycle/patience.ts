import { untilTaken } from '../redis/until-taken.js';
import type { Reconciler } from './reconcile.js';

/**
 * A lifecycle that repeats itself while Redis refuses, instead of failing. It goes round a lifecycle that does all of
 * its work: whatever has been done is found done when the work is repeated, and nothing else need repeat it.
 * @param onRefused hears of the first refusal of a row
 */
export function withPatience(reconciler: Reconciler, onRefused: (error: unknown) => void): Reconciler {
  return {
    reconcile: (jobId, hint, reported, signal) =>
      untilTaken(() => reconciler.reconcile(jobId, hint, reported, signal), { signal, onRefused }),
  };
}
