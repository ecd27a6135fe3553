import { Job } from 'bullmq';
import { ANONYMOUS_CALLER, isVisitor, type LimitedCaller } from '../../shared/jobs/limits.js';
import { type OpenQueue, requireAddress } from '../../shared/jobs/queues.js';
import type { Registry } from '../../shared/jobs/registry.js';
import type { JobSnapshot, SnapshotReader } from '../../shared/lifecycle/snapshot.js';
import { jobNotFound } from '../auth/access.js';
import type { Principal } from '../auth/principal.js';
import { requireKind, requireWithinLimits } from './permission.js';

export interface RetryCheckOptions {
  registry: Registry;
  readJob: SnapshotReader;
  openQueue: OpenQueue;
  /** As for {@link requireWithinLimits}. */
  defaultTimeoutMs: number;
}

/**
 * Checks that a caller may run a job again: like starting it. A child, and the delivery of a webhook, belong to a job that
 * somebody started: their own kind needs no permission, the kind of that job does.
 * @param caller `undefined` for an unidentified caller with the token of the job
 * @throws HeadwayError `forbidden` or `limit-exceeded`; `not-found` if the job that started it has been removed
 */
export type RetryCheck = (job: JobSnapshot, caller: Principal | undefined) => Promise<void>;

export function createRetryCheck(options: RetryCheckOptions): RetryCheck {
  const { registry, readJob, openQueue, defaultTimeoutMs } = options;

  async function requireJob(jobId: string): Promise<JobSnapshot> {
    const job = await readJob(jobId);
    if (!job) throw jobNotFound();
    return job;
  }

  /** Returns the kind of the job that a caller started. */
  async function startedKind(job: JobSnapshot): Promise<string> {
    const { of } = job.settings;
    // A delivery may be for a child.
    const served = of === undefined ? job : await requireJob(of);
    const root = served.settings.ancestors?.[0];
    return (root === undefined ? served : await requireJob(root)).name;
  }

  async function requireLimits(job: JobSnapshot, caller: LimitedCaller): Promise<void> {
    const definition = registry.get(job.name);
    if (!definition?.limits) return;
    const { queue, id } = requireAddress(job.id);
    const stored = await Job.fromId(openQueue(queue), id);
    // The time limit was checked when the job was started, and the definition's may have changed since.
    await requireWithinLimits({ definition, data: stored?.data, options: {} }, caller, defaultTimeoutMs);
  }

  return async (job, caller) => {
    if (caller?.grants.jobs) requireKind(caller, await startedKind(job));
    const isOwn = job.settings.ancestors === undefined && job.settings.of === undefined;
    if (isOwn && (caller?.signedIn || isVisitor(job.settings.owner))) {
      await requireLimits(job, caller ?? ANONYMOUS_CALLER);
    }
  };
}
