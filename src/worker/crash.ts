import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../shared/process/log.js';

/** How long the end of a process may take: what runs is handed back within it, or found stalled later. */
const END_MS = 8000;

/**
 * What a worker process does about an error that belongs to no job: nobody knows what state it is in, so it hands its
 * jobs back and ends, to be started again.
 * @param handBack resolves when the jobs are handed back
 */
export function endAfterCrash(
  log: Logger,
  handBack: () => Promise<void> | undefined,
): (error: unknown) => void {
  let ending = false;
  return (error) => {
    log.fatal({ err: error }, 'an error that nobody caught, and that belongs to no job, ends this worker');
    if (ending) return;
    ending = true;
    const done = Promise.resolve(handBack()).catch((failure) => {
      log.error({ err: failure }, 'could not hand the running jobs back: they will be found stalled');
    });
    void Promise.race([done, sleep(END_MS)]).then(() => process.exit(1));
  };
}
