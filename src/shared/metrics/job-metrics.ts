import { Counter, Gauge, Histogram } from './instruments.js';

/** From 10 ms to six hours, in seconds. */
const JOB_SECONDS = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800, 3600, 21_600];

export const jobsQueued = new Counter(
  'headway_jobs_queued_total',
  'Jobs that this process has queued: for requests, or as children of other jobs.',
  ['kind'],
);
export const jobAttempts = new Counter('headway_job_attempts_total', 'Attempts that began.', ['kind']);
export const jobRetries = new Counter('headway_job_retries_total', 'Attempts that failed and are repeated.', [
  'kind',
]);
export const jobStalls = new Counter(
  'headway_job_stalls_total',
  'Attempts that were lost with their worker.',
  ['kind'],
);
export const jobsFinished = new Counter('headway_jobs_finished_total', 'Jobs that ended, by final state.', [
  'kind',
  'state',
]);
export const jobWait = new Histogram(
  'headway_job_wait_seconds',
  'Time from when a job could run until its first attempt began.',
  ['kind'],
  JOB_SECONDS,
);
export const jobRun = new Histogram(
  'headway_job_run_seconds',
  'Duration of the last attempt of jobs that ended.',
  ['kind'],
  JOB_SECONDS,
);
export const workerActiveJobs = new Gauge('headway_worker_active_jobs', 'Jobs that this worker is running.');

export const progressPublished = new Counter(
  'headway_progress_published_total',
  'Progress events that this worker has published.',
);
export const progressCoalesced = new Counter(
  'headway_progress_coalesced_total',
  'Progress reports of jobs that were merged into a later event or changed nothing.',
);
export const reportsLost = new Counter(
  'headway_reports_lost_total',
  'Log lines and custom events of jobs that could not be published. The stream reports how many are missing.',
);
export const eventsPublished = new Counter(
  'headway_events_published_total',
  'Events that this process has sent to channels.',
);

export const webhookCalls = new Counter(
  'headway_webhook_calls_total',
  'Calls of webhooks: delivered (2xx), rejected (another status) or failed (no response). Calls that were not delivered are repeated.',
  ['outcome'],
);
export const webhookDuration = new Histogram(
  'headway_webhook_call_duration_seconds',
  'Duration of calls of webhooks.',
  [],
  [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
);
