import { type JobsFrame, unpackJobs } from '../../shared/dashboard/frame.js';
import type { RunningJob } from '../../shared/dashboard/running.js';

/** A running job and its process. */
export interface LiveJob extends RunningJob {
  /** The id of the process; absent when the process does not report itself. */
  process?: string;
}

/** The jobs that all workers run, as they last reported them. */
export class LiveJobs {
  private readonly frames = new Map<string, LiveJob[]>();
  private merged: Map<string, LiveJob> | undefined;
  private byOwner: Map<string, LiveJob[]> | undefined;
  /** Increases with each change. */
  version = 0;

  /** Replaces the jobs of one process. */
  put(frame: JobsFrame): void {
    const { process } = frame;
    this.frames.set(
      process,
      unpackJobs(frame).map((job) => ({ ...job, process })),
    );
    this.invalidate();
  }

  /** Drops the jobs of all processes but these. */
  keep(processes: Set<string>): void {
    for (const process of this.frames.keys()) {
      if (processes.has(process)) continue;
      this.frames.delete(process);
      this.invalidate();
    }
  }

  /** Whether a worker reports this job. */
  has(jobId: string): boolean {
    return this.all().has(jobId);
  }

  /** The jobs of an owner; of all owners when it is `undefined`. */
  of(owner: string | undefined): Iterable<LiveJob> {
    if (owner === undefined) return this.all().values();
    this.byOwner ??= groupByOwner(this.all().values());
    return this.byOwner.get(owner) ?? [];
  }

  /**
   * All jobs, by id. When two processes report the same job, because one has lost it without knowing, the later attempt
   * counts.
   */
  private all(): Map<string, LiveJob> {
    if (this.merged) return this.merged;
    this.merged = new Map();
    for (const jobs of this.frames.values()) {
      for (const job of jobs) {
        const other = this.merged.get(job.id);
        if (!other || other.attempt < job.attempt) this.merged.set(job.id, job);
      }
    }
    return this.merged;
  }

  private invalidate(): void {
    this.merged = this.byOwner = undefined;
    this.version++;
  }
}

/** Does what `Map.groupBy` does, which Node 20 does not have. */
function groupByOwner(jobs: Iterable<LiveJob>): Map<string, LiveJob[]> {
  const groups = new Map<string, LiveJob[]>();
  for (const job of jobs) {
    const group = groups.get(job.owner ?? '');
    if (group) group.push(job);
    else groups.set(job.owner ?? '', [job]);
  }
  return groups;
}
