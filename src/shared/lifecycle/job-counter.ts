import type { Registry } from '../jobs/registry.js';
import { isTerminal, TERMINAL_STATES } from '../jobs/states.js';
import {
  jobAttempts,
  jobRetries,
  jobRun,
  jobStalls,
  jobsFinished,
  jobsQueued,
  jobWait,
} from '../metrics/job-metrics.js';
import type { ReconcileObserver } from './observers.js';

/** The label of kinds that have no definition here: other programs name their jobs as they like. */
export const OTHER_KIND = 'other';

/**
 * Counts the published events of jobs for the metrics: attempts, retries, stalls and ends, with their wait and run times. Each
 * event is published by one process, which counts it.
 */
export function createJobCounter(registry: Registry): ReconcileObserver {
  const kinds = [...registry.keys(), OTHER_KIND];
  jobsQueued.beginAtZero(registry.keys());
  for (const counter of [jobAttempts, jobRetries, jobStalls]) counter.beginAtZero(kinds);
  for (const kind of kinds) for (const state of TERMINAL_STATES) jobsFinished.at(kind, state);
  return {
    afterPublish({ event: { event, end }, fence }, job) {
      if (fence.rank === undefined) return;
      const kind = job && registry.has(job.name) ? job.name : OTHER_KIND;
      switch (event) {
        case 'active': {
          jobAttempts.at(kind).value++;
          if (fence.attempt !== 1 || job?.attempt !== 1 || !job.startedAt) return;
          jobWait.at(kind).observe(seconds(job.createdAt + (job.delayMs ?? 0), job.startedAt));
          return;
        }
        case 'retrying':
          jobRetries.at(kind).value++;
          return;
        case 'stalled':
          jobStalls.at(kind).value++;
          return;
      }
      if (!end || !isTerminal(event)) return;
      jobsFinished.at(kind, event).value++;
      if (job?.startedAt && job.finishedAt && job.attempt > 0) {
        jobRun.at(kind).observe(seconds(job.startedAt, job.finishedAt));
      }
    },
  };
}

const seconds = (from: number, to: number): number => Math.max(0, to - from) / 1000;
