import { Gauge } from './instruments.js';

// What these say is true of the whole installation. Every API process exports the same values: query `max by (…)`.

export const jobsByState = new Gauge('headway_jobs', 'Jobs in the index, by state.', ['kind', 'state']);
export const oldestWaiting = new Gauge(
  'headway_oldest_waiting_job_age_seconds',
  'How long the oldest job that could run has been waiting; 0 if none waits.',
  ['kind'],
);
export const queueJobs = new Gauge('headway_queue_jobs', 'Jobs in a queue, by BullMQ state.', [
  'queue',
  'state',
]);
export const queuePaused = new Gauge('headway_queue_paused', '1 if a queue is paused, else 0.', ['queue']);
export const queueWorkers = new Gauge(
  'headway_queue_workers',
  'Headway worker processes that serve a queue and send heartbeats.',
  ['queue'],
);
export const processes = new Gauge('headway_processes', 'Processes that send heartbeats.', ['role']);
