import type { JobState } from '../../shared/jobs/states.js';
import { errorOf } from '../../shared/lifecycle/events.js';
import type { JobSnapshot } from '../../shared/lifecycle/snapshot.js';
import type { LiveJob } from '../live/live-jobs.js';

/** The data of a `job` event: what is known of a job now. */
export type JobNow = Record<string, unknown> & { jobId: string; state: JobState | 'gone' };

/** What one viewer of many jobs was told, and what it is to be told next. */
export class PendingUpdates {
  /** Jobs that have not ended, by id: what was told of each. */
  private readonly published = new Map<string, { state: JobNow['state']; json: string }>();
  /** What is to be told, the newest of each job: whoever has waited longest is first. */
  private readonly due = new Map<string, string>();

  /** How many jobs are shown. */
  get size(): number {
    return this.published.size;
  }

  has(jobId: string): boolean {
    return this.published.has(jobId);
  }

  /** The state that was told of a job; `undefined` when it is not shown. */
  stateOf(jobId: string): JobNow['state'] | undefined {
    return this.published.get(jobId)?.state;
  }

  /** The ids of those that are shown. */
  ids(): Iterable<string> {
    return this.published.keys();
  }

  /** Notes what is known of a job: it is told if it is new. */
  note(now: JobNow): void {
    const json = JSON.stringify(now);
    if (this.published.get(now.jobId)?.json === json) return;
    this.published.set(now.jobId, { state: now.state, json });
    // A later one takes the place of the one that waits.
    this.due.set(now.jobId, json);
  }

  /** Notes how a job has ended: it is told, and forgotten. */
  end(now: JobNow): void {
    this.published.delete(now.jobId);
    this.due.set(now.jobId, JSON.stringify(now));
  }

  /** Takes what is to be told now: so many at most. */
  take(count: number): string[] {
    const taken: string[] = [];
    for (const [jobId, json] of this.due) {
      if (taken.length === count) break;
      taken.push(json);
      this.due.delete(jobId);
    }
    return taken;
  }
}

/** A job as its worker told of it last. */
export function ofLive({ id, owner: _owner, process: _process, ...job }: LiveJob): JobNow {
  return { jobId: id, state: 'active', ...job };
}

/** A job as it is kept. */
export function ofSnapshot(job: JobSnapshot): JobNow {
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
