import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../shared/process/log.js';

/** Time for handing running jobs back. Jobs that take longer are found stalled later. */
const END_MS = 8000;

/**
 * Returns the handler for uncaught errors that cannot be assigned to a job. Such an error leaves the process in an
 * unknown state, so it hands its jobs back and exits, to be restarted.
 * @param handBack resolves when the jobs are handed back
 */
export function endAfterCrash(
  log: Logger,
  handBack: () => Promise<void> | undefined,
): (error: unknown) => void {
  let ending = false;
  return (error) => {
    log.fatal({ err: error }, 'uncaught error outside of any known job; this worker exits');
    if (ending) return;
    ending = true;
    const done = Promise.resolve(handBack()).catch((failure) => {
      log.error({ err: failure }, 'could not hand back the running jobs; they will be found stalled');
    });
    void Promise.race([done, sleep(END_MS)]).then(() => process.exit(1));
  };
}
