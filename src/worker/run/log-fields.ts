import type { Job } from 'bullmq';
import { idOfStored } from '../../shared/jobs/queues.js';
import { jobSettings } from '../../shared/jobs/settings.js';

/** The fields of every log line about an attempt. */
export interface AttemptFields {
  jobId: string;
  /** The kind of job. */
  job: string;
  attempt: number;
  requestId: string | undefined;
}

/** Returns what identifies an attempt in the log. */
export const attemptFields = (
  job: Job,
  jobId = idOfStored(job),
  { requestId } = jobSettings(job.opts),
): AttemptFields => ({ jobId, job: job.name, attempt: job.attemptsStarted, requestId });
