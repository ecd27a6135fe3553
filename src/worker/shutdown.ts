import type { Worker } from 'bullmq';
import type { Logger } from '../shared/log.js';
import { StopReason } from './processor.js';

/** How long a job may take to react to its aborted signal. */
const REACTION_MS = 3000;

/**
 * Stops a worker: it takes no new job at once; running ones may end within `graceMs`; the rest are aborted and
 * handed back to the queue. A job that ignores its signal is left to be found stalled.
 */
export async function stopWorker(worker: Worker, graceMs: number, log: Logger): Promise<void> {
  const closed = worker.close();
  const abort = setTimeout(() => {
    log.info('handing the running jobs back');
    worker.cancelAllJobs(new StopReason('shutdown', 'the worker is shutting down') as never);
  }, graceMs);
  let giveUp: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    giveUp = setTimeout(() => {
      log.warn('some jobs did not react to being aborted');
      resolve();
    }, graceMs + REACTION_MS);
  });
  await Promise.race([closed, late]);
  clearTimeout(abort);
  clearTimeout(giveUp);
}
