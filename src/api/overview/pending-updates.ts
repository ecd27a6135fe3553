import type { JobState } from '../../shared/jobs/states.js';
import { errorOf } from '../../shared/lifecycle/events.js';
import type { JobSnapshot } from '../../shared/lifecycle/snapshot.js';
import type { LiveJob } from '../live/live-jobs.js';

/** The data of a `job` event: the current state of a job. */
export type JobUpdate = Record<string, unknown> & { jobId: string; state: JobState | 'gone' };

/** The updates still to be sent to one viewer of an overview: the newest of each job. */
export class PendingUpdates {
  /** The newest update of each job that has not ended, by job id. */
  private readonly recorded = new Map<string, { state: JobUpdate['state']; json: string }>();
  /** Updates that have not been sent, as JSON, by job id. The job that has waited longest is first. */
  private readonly pending = new Map<string, string>();

  /** How many jobs are shown. */
  get size(): number {
    return this.recorded.size;
  }

  /** Whether a job is shown. */
  has(jobId: string): boolean {
    return this.recorded.has(jobId);
  }

  /** The recorded state of a job; `undefined` when it is not shown. */
  stateOf(jobId: string): JobUpdate['state'] | undefined {
    return this.recorded.get(jobId)?.state;
  }

  /** The ids of the jobs that are shown. */
  ids(): Iterable<string> {
    return this.recorded.keys();
  }

  /** Records the state of a job. If it differs from the recorded one, it is sent. */
  record(update: JobUpdate): void {
    const json = JSON.stringify(update);
    if (this.recorded.get(update.jobId)?.json === json) return;
    this.recorded.set(update.jobId, { state: update.state, json });
    // Replaces a pending update in place: the job does not lose its turn.
    this.pending.set(update.jobId, json);
  }

  /** Records the end of a job: it is sent, and the job is no longer shown. */
  end(update: JobUpdate): void {
    this.recorded.delete(update.jobId);
    this.pending.set(update.jobId, JSON.stringify(update));
  }

  /** Removes up to `count` pending updates and returns them as JSON. */
  take(count: number): string[] {
    const taken: string[] = [];
    for (const [jobId, json] of this.pending) {
      if (taken.length === count) break;
      taken.push(json);
      this.pending.delete(jobId);
    }
    return taken;
  }
}

/** The update for a running job, from its worker's report. */
export function ofLive({ id, owner: _owner, process: _process, ...job }: LiveJob): JobUpdate {
  return { jobId: id, state: 'active', ...job };
}

/** The update for a job, from its state in BullMQ. */
export function ofSnapshot(job: JobSnapshot): JobUpdate {
  const { id, name, state, attempt, paused, noWorker } = job;
  return {
    jobId: id,
    name,
    state,
    attempt,
    ...(paused ? { paused } : {}),
    ...(noWorker ? { noWorker } : {}),
    ...(state === 'failed' ? { error: errorOf(job) } : {}),
  };
}
