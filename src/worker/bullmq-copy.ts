import { readFileSync } from 'node:fs';
import type { Job } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Gather } from '../shared/channel/gather.js';
import { queueKey } from '../shared/queues.js';
import type { LogLine } from './job-log.js';
import type { ProgressData } from './progress.js';

export interface BullMqCopyOptions {
  redis: Redis;
  queuePrefix: string;
  gather: Gather;
  /** How many lines BullMQ keeps of a job's log. */
  logLines: number;
}

/** What a run says, for tools that know BullMQ alone. */
export interface BullMqCopy {
  /** Becomes `job.progress`: our data, with the percent as `progress` too, which is where Bull Board looks. */
  progress(data: ProgressData): Promise<unknown>;
  /** Adds a line to the log of the job. */
  log(line: LogLine): Promise<unknown>;
}

const lua = readFileSync(new URL('../shared/lifecycle/scripts/log.lua', import.meta.url), 'utf8');

export function createBullMqCopy(options: BullMqCopyOptions, job: Job): BullMqCopy {
  const { redis, queuePrefix, gather, logLines } = options;
  if (!('logJob' in redis)) redis.defineCommand('logJob', { numberOfKeys: 2, lua });
  const scripts = redis as unknown as { logJob(...args: Array<string | number>): Promise<unknown> };
  const key = queueKey(queuePrefix, job.queueName, job.id!);
  const later = (call: () => Promise<unknown>): Promise<unknown> =>
    new Promise((resolve) => gather(() => resolve(call())));
  return {
    progress: (data) =>
      later(() => job.updateProgress(data.percent === null ? data : { ...data, progress: data.percent })),
    log: (line) => later(() => scripts.logJob(key, `${key}:logs`, lineText(line), logLines)),
  };
}

/** A line as text. */
function lineText({ level, message, fields, at }: LogLine): string {
  const more = fields === undefined ? '' : ` ${JSON.stringify(fields)}`;
  return `${new Date(at).toISOString()} ${level} ${message}${more}`;
}
