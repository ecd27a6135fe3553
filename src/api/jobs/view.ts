import type { Redis } from 'ioredis';
import { channelKeys, jobChannel } from '../../shared/channel/keys.js';
import type { JobSnapshot } from '../../shared/lifecycle/snapshot.js';
import { errorOf } from '../../shared/lifecycle/transitions.js';

/** Where a job's resources are, relative to the service. */
export const jobLinks = (id: string) => ({
  self: `/v1/jobs/${id}`,
  events: `/v1/jobs/${id}/events`,
  cancel: `/v1/jobs/${id}/cancel`,
  result: `/v1/jobs/${id}/result`,
});

/** The body of `GET /v1/jobs/:id`. Times are ms since the epoch. */
export function jobView(job: JobSnapshot, progress: unknown): Record<string, unknown> {
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
    ...(job.cancelling ? { cancelling: true } : {}),
    ...(job.settings.tags ? { tags: job.settings.tags } : {}),
    ...(job.settings.metadata ? { metadata: job.settings.metadata } : {}),
    ...(job.settings.expiresAt ? { expiresAt: job.settings.expiresAt } : {}),
    links: { ...jobLinks(job.id), ...(parent ? { parent: jobLinks(parent).self } : {}) },
  };
}

/** The newest progress: the channel's, or what the job last told BullMQ; `null` before the first. */
export async function readProgress(redis: Redis, prefix: string, job: JobSnapshot): Promise<unknown> {
  const [, , slots] = channelKeys(prefix, jobChannel(job.id));
  const frame = await redis.hget(slots, 'progress');
  const data = frame && /^data: (.*)$/m.exec(frame)?.[1];
  return data ? JSON.parse(data) : (job.progress ?? null);
}
