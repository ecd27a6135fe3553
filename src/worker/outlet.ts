import { readFileSync } from 'node:fs';
import type { Job } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Gather } from '../shared/channel/gather.js';
import { jobChannel } from '../shared/channel/keys.js';
import type { Publisher } from '../shared/channel/publisher.js';
import type { Logger } from '../shared/log.js';
import type { Presence } from '../shared/presence.js';
import { queueKey } from '../shared/queues.js';
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
  /** How many watch the job. */
  watchers(): Promise<number>;
}

export interface OutletOptions {
  publisher: Publisher;
  presence: Presence;
  gather: Gather;
  redis: Redis;
  queuePrefix: string;
  jobId: string;
  job: Job;
  /** BullMQ's log keeps this many lines. */
  logLines: number;
  log: Logger;
}

const lua = readFileSync(new URL('../shared/lifecycle/scripts/log.lua', import.meta.url), 'utf8');

/**
 * Has a connection know what outlets call. Once, before the first of them: a pipeline that ioredis has open at that moment
 * does not know it, and throws.
 */
export function prepareOutlets(redis: OutletOptions['redis']): void {
  redis.defineCommand('logJob', { numberOfKeys: 2, lua });
}

/** The outlet of a run in this thread, on a prepared connection: to the channel of the job, and to BullMQ. */
export function createOutlet(options: OutletOptions): Outlet {
  const { publisher, presence, gather, redis, queuePrefix, jobId, job, logLines, log } = options;
  const scripts = redis as unknown as { logJob(...args: Array<string | number>): Promise<unknown> };
  const key = queueKey(queuePrefix, job.queueName, job.id!);
  const channel = jobChannel(jobId);
  const fence = { attempt: job.attemptsStarted };
  const later = (call: () => Promise<unknown>): Promise<unknown> =>
    new Promise((resolve) => gather(() => resolve(call())));
  return {
    progress: (data) => publisher.publish(channel, { event: 'progress', kind: 'state', data }, fence),
    // With the percent as `progress` too, which is where Bull Board looks.
    bullMqProgress: (data) =>
      later(() => job.updateProgress(data.percent === null ? data : { ...data, progress: data.percent })),
    event: (event, data) => publisher.publish(channel, { event, data }, fence),
    bullMqLog: (line) => later(() => scripts.logJob(key, `${key}:logs`, line, logLines)),
    warn: (message) => log.warn(message),
    watchers: async () => (await presence.watchers(channel)).watchers,
  };
}
