import type { Worker } from 'bullmq';
import type { Logger } from '../../shared/process/log.js';
import { type ActiveRuns, StopReason } from './run.js';

/** Time for a job to react to its aborted signal. */
const REACTION_MS = 3000;
/** Time for handing jobs back to their queues. */
const HAND_BACK_MS = 2000;
const POLL_MS = 100;

/**
 * Stops the workers of a process. They take no new jobs, and running jobs get `graceMs` to finish. The others are
 * aborted and handed back to their queues; code that ignores its signal ends with the process.
 * @param redisIsAway whether Redis is unreachable. In that case BullMQ's workers do not close. A process without running jobs
 *   does not wait for them; one with running jobs waits until the end, because Redis may come back and take the jobs
 */
export async function stopWorkers(
  workers: Worker[],
  runs: ActiveRuns,
  graceMs: number,
  redisIsAway: () => boolean,
  log: Logger,
): Promise<void> {
  const shutdown = new StopReason('shutdown', 'the worker is shutting down');
  runs.refuseNew(shutdown);
  const closed = Promise.all(workers.map((worker) => worker.close()));
  const abort = setTimeout(() => {
    log.info('handing the running jobs back');
    runs.stopAll(shutdown, REACTION_MS);
  }, graceMs);
  let giveUp: NodeJS.Timeout | undefined;
  const deadline = new Promise<void>((resolve) => {
    giveUp = setTimeout(
      () => {
        log.warn('could not hand back some jobs; they will be found stalled');
        resolve();
      },
      graceMs + REACTION_MS + HAND_BACK_MS,
    );
  });
  let poll: NodeJS.Timeout | undefined;
  const idle = new Promise<void>((resolve) => {
    poll = setInterval(() => {
      if (runs.size === 0 && redisIsAway()) resolve();
    }, POLL_MS);
  });
  await Promise.race([closed, deadline, idle]);
  clearInterval(poll);
  clearTimeout(abort);
  clearTimeout(giveUp);
}
