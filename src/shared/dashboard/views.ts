import type { RunningJob } from './running.js';

/** A running job on the dashboard. */
export type ActiveJob = Omit<RunningJob, 'owner'> & {
  /** The id of the process that runs the job; absent for workers that send no heartbeats. */
  process?: string;
};

/** A failed job on the dashboard. Times are in ms since 1970. */
export interface FailedJob {
  id: string;
  name: string;
  title?: string | undefined;
  attempt: number;
  attempts: number;
  createdAt: number;
  finishedAt?: number | undefined;
  error: { message: string; code?: string };
}

/** The heartbeat of a process. Times are in ms since 1970. */
export interface ProcessView {
  id: string;
  role: 'worker' | 'api';
  host: string;
  pid: number;
  version: string;
  startedAt: number;
  rssBytes: number;
  heapBytes: number;
  /** Whether the process was asked to stop. */
  stopping?: boolean;
  /** For workers: the number of running jobs, and the concurrency for each queue. */
  running?: number;
  queues?: Array<{ name: string; concurrency: number }>;
  /** For workers: in how many shards they serve the queues. Absent for 1. */
  shards?: number;
  /** `QUEUE_SHARDS` of the process. Absent for 1. */
  placed?: number;
  /** For API processes: the number of open streams. */
  viewers?: number;
}

/** A queue with its kinds of job, and whether its jobs can start. */
export interface QueueState {
  name: string;
  jobs: string[];
  paused: boolean;
  /** Whether no worker takes jobs from the queue. */
  noWorker: boolean;
}

/** An alert that is firing. */
export interface FiringAlert {
  kind: string;
  /** What is wrong, in one sentence. */
  text: string;
  /** ms since 1970 */
  since: number;
}

/** The state of Redis. */
export interface RedisState {
  version: string;
  usedBytes: number;
  peakBytes: number;
  /** 0 for no limit. */
  maxBytes: number;
  clients: number;
}
