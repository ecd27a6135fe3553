import type { Job } from 'bullmq';
import type { Gather } from '../shared/channel/gather.js';
import { jobChannel } from '../shared/channel/keys.js';
import type { Publisher } from '../shared/channel/publisher.js';
import type { Logger } from '../shared/log.js';
import type { ProgressData } from './progress.js';

/**
 * Where to what one run says goes. What takes a while gives a promise; nothing comes back where the sender need not
 * wait.
 */
export interface Outlet {
  progress(data: ProgressData): Promise<unknown> | undefined;
  /** BullMQ's own progress of the job. */
  bullMqProgress(data: ProgressData): Promise<unknown> | undefined;
  /** An event that is kept and replayed; its data as JSON. */
  event(name: string, json: string): Promise<unknown>;
  /** A line of BullMQ's own log of the job. */
  bullMqLog(line: string): Promise<unknown>;
  /** For the log of the worker. */
  warn(message: string): void;
}

export interface OutletOptions {
  publisher: Publisher;
  gather: Gather;
  jobId: string;
  job: Job;
  /** BullMQ's log keeps this many lines. */
  logLines: number;
  log: Logger;
}

/** The outlet of a run in this thread: to the channel of the job, and to BullMQ. */
export function createOutlet({ publisher, gather, jobId, job, logLines, log }: OutletOptions): Outlet {
  const channel = jobChannel(jobId);
  const fence = { attempt: job.attemptsStarted };
  // Not stored with the job: BullMQ hands it on with each line.
  job.opts.keepLogs ??= logLines;
  const later = (call: () => Promise<unknown>): Promise<unknown> =>
    new Promise((resolve) => gather(() => resolve(call())));
  return {
    progress: (data) => publisher.publish(channel, { event: 'progress', kind: 'state', data }, fence),
    bullMqProgress: (data) => later(() => job.updateProgress(data)),
    event: (event, data) => publisher.publish(channel, { event, data }, fence),
    bullMqLog: (line) => later(() => job.log(line)),
    warn: (message) => log.warn(message),
  };
}
