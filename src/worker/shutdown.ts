import type { Worker } from 'bullmq';
import type { Logger } from '../shared/log.js';
import { type Runs, StopReason } from './run.js';

/** How long a job may take to react to its aborted signal. */
const REACTION_MS = 3000;
/** How long handing back may take. */
const HAND_BACK_MS = 2000;

/**
 * Stops the workers of a process: they take no new job at once; running ones may end within `graceMs`; the rest are aborted and
 * handed back to the queue, also those that ignore their signal: they end with the process.
 */
export async function stopWorkers(
  workers: Worker[],
  runs: Runs,
  graceMs: number,
  log: Logger,
): Promise<void> {
  const closed = Promise.all(workers.map((worker) => worker.close()));
  const abort = setTimeout(() => {
    log.info('handing the running jobs back');
    runs.stopAll(new StopReason('shutdown', 'the worker is shutting down'), REACTION_MS);
  }, graceMs);
  let giveUp: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    giveUp = setTimeout(
      () => {
        log.warn('some jobs could not be handed back: they will be found stalled');
        resolve();
      },
      graceMs + REACTION_MS + HAND_BACK_MS,
    );
  });
  await Promise.race([closed, late]);
  clearTimeout(abort);
  clearTimeout(giveUp);
}
