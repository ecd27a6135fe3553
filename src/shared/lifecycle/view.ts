import { foreignProgress, isHeadwayProgress } from '../bullmq/foreign-progress.js';
import { channelKeys, jobChannel } from '../channel/keys.js';
import { jobLinks } from '../jobs/links.js';
import type { Keyspace } from '../keyspace.js';
import type { RedisClient } from '../redis/client.js';
import { errorOf } from './events.js';
import { isFinished, type JobSnapshot } from './snapshot.js';

/**
 * Returns the body of `GET /v1/jobs/:id`. Times are in ms since 1970.
 * @param base the path under which clients reach the service, as for {@link jobLinks}
 */
export function jobView(job: JobSnapshot, progress: unknown, base: string): Record<string, unknown> {
  const parent = job.settings.ancestors?.at(-1);
  return {
    id: job.id,
    name: job.name,
    state: job.state,
    progress,
    attempt: job.attempt,
    attempts: job.attempts,
    createdAt: job.createdAt,
    ...(job.dueAt ? { dueAt: job.dueAt } : {}),
    ...(job.startedAt ? { startedAt: job.startedAt } : {}),
    ...(job.finishedAt ? { finishedAt: job.finishedAt } : {}),
    ...(job.state === 'completed' ? { result: job.result } : {}),
    ...(job.state === 'failed' ? { error: errorOf(job) } : {}),
    ...(job.children ? { children: job.children } : {}),
    ...(parent ? { parent } : {}),
    ...(job.cancelAsked && !isFinished(job) ? { cancelling: true } : {}),
    ...(job.paused ? { paused: true } : {}),
    ...(job.noWorker ? { noWorker: true } : {}),
    ...(job.settings.title ? { title: job.settings.title } : {}),
    ...(job.settings.tags ? { tags: job.settings.tags } : {}),
    ...(job.settings.metadata ? { metadata: job.settings.metadata } : {}),
    ...(job.settings.expiresAt ? { expiresAt: job.settings.expiresAt } : {}),
    ...(job.settings.schedule ? { schedule: job.settings.schedule.id } : {}),
    links: { ...jobLinks(job.id, base), ...(parent ? { parent: jobLinks(parent, base).self } : {}) },
  };
}

/** Reads the newest progress that was published on a job's channel; `undefined` when there is none. */
export async function channelProgress(
  redis: RedisClient,
  keyspace: Keyspace,
  jobId: string,
): Promise<unknown> {
  const [, , slots] = channelKeys(keyspace, jobChannel(jobId));
  const frame = await redis.hget(slots, 'progress');
  const data = frame && /^data: (.*)$/m.exec(frame)?.[1];
  return data ? JSON.parse(data) : undefined;
}

/** Reads the newest progress of a job from its channel, else from BullMQ; `null` when there is none. */
export async function readProgress(
  redis: RedisClient,
  keyspace: Keyspace,
  job: JobSnapshot,
): Promise<unknown> {
  const published = await channelProgress(redis, keyspace, job.id);
  if (published !== undefined) return published;
  const { id: jobId, attempt, progress } = job;
  if (progress === undefined) return null;
  if (isHeadwayProgress(progress, jobId)) {
    const holds = isFinished(job) || (job.state === 'active' && progress.attempt === attempt);
    return holds ? foreignProgress(progress, { at: job.createdAt, ...progress }) : null;
  }
  // BullMQ keeps progress across attempts: a worker that knows only BullMQ may have reported it in an earlier one.
  if (attempt > 1 && !isFinished(job)) return null;
  return foreignProgress(progress, { jobId, attempt, at: job.finishedAt ?? job.startedAt ?? job.createdAt });
}
