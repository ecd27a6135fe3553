import type { RunningJob } from './running.js';

/** A job that runs, as the dashboard shows it. */
export type ActiveJob = Omit<RunningJob, 'owner'> & {
  /** The id of the process that runs it; none for one that says nothing of itself. */
  process?: string;
};

/** A failed job as the dashboard shows it. Times are ms since 1970. */
export interface FailedJob {
  id: string;
  name: string;
  attempt: number;
  attempts: number;
  createdAt: number;
  finishedAt?: number | undefined;
  error: { message: string; code?: string };
}

/** What a process says of itself. Times are ms since 1970. */
export interface ProcessView {
  id: string;
  role: 'worker' | 'api';
  host: string;
  pid: number;
  version: string;
  startedAt: number;
  rssBytes: number;
  heapBytes: number;
  /** Of a worker: how many jobs run in it, and how many it takes at a time from each queue. */
  running?: number;
  queues?: Array<{ name: string; concurrency: number }>;
  /** Of an API process: how many streams it serves. */
  viewers?: number;
}

/** A queue, its kinds of job, and whether its jobs can begin. */
export interface QueueState {
  name: string;
  jobs: string[];
  paused: boolean;
  /** No worker takes jobs from it. */
  noWorker: boolean;
}

/** How Redis is. */
export interface RedisState {
  version: string;
  usedBytes: number;
  peakBytes: number;
  /** 0: no limit. */
  maxBytes: number;
  clients: number;
}
