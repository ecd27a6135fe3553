import type { Worker } from 'bullmq';
import type { Logger } from '../../shared/process/log.js';
import { type ActiveRuns, StopReason } from './run.js';

/** How long a job may take to react to its aborted signal. */
const REACTION_MS = 3000;
/** How long handing back may take. */
const HAND_BACK_MS = 2000;
const LOOK_MS = 100;

/**
 * Stops the workers of a process: they take no new job at once; running ones may end within `graceMs`; the rest are aborted and
 * handed back to the queue, also those that ignore their signal: they end with the process.
 * @param redisIsAway while it is, BullMQ's workers do not close, and a process without jobs does not wait for them
 */
export async function stopWorkers(
  workers: Worker[],
  runs: ActiveRuns,
  graceMs: number,
  redisIsAway: () => boolean,
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
  let look: NodeJS.Timeout | undefined;
  const idle = new Promise<void>((resolve) => {
    look = setInterval(() => {
      if (runs.size === 0 && redisIsAway()) resolve();
    }, LOOK_MS);
  });
  await Promise.race([closed, late, idle]);
  clearInterval(look);
  clearTimeout(abort);
  clearTimeout(giveUp);
}
