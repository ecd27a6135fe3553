import { type JobsFrame, unpackJobs } from '../../shared/dashboard/frame.js';
import type { RunningJob } from '../../shared/dashboard/running.js';

/** A job that runs, and where. */
export interface LiveJob extends RunningJob {
  /** The id of the process; none for one that says nothing of itself. */
  process?: string;
}

/** What all workers run at this moment, by what they last said. */
export class LiveJobs {
  private readonly frames = new Map<string, LiveJob[]>();
  private merged: Map<string, LiveJob> | undefined;
  private byOwner: Map<string, LiveJob[]> | undefined;
  /** Grows with each change. */
  version = 0;

  put(frame: JobsFrame): void {
    const { process } = frame;
    this.frames.set(
      process,
      unpackJobs(frame).map((job) => ({ ...job, process })),
    );
    this.touch();
  }

  /** Forgets what processes ran that are gone. */
  keep(processes: Set<string>): void {
    for (const process of this.frames.keys()) {
      if (processes.has(process)) continue;
      this.frames.delete(process);
      this.touch();
    }
  }

  has(jobId: string): boolean {
    return this.all().has(jobId);
  }

  /** Those of an owner; `undefined`: of everybody. */
  of(owner: string | undefined): Iterable<LiveJob> {
    if (owner === undefined) return this.all().values();
    this.byOwner ??= groupByOwner(this.all().values());
    return this.byOwner.get(owner) ?? [];
  }

  /** A job that two say they run, because one has lost it and does not know yet, is where its later attempt is. */
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

  private touch(): void {
    this.merged = this.byOwner = undefined;
    this.version++;
  }
}

/** (`Map.groupBy` came with Node 21.) */
function groupByOwner(jobs: Iterable<LiveJob>): Map<string, LiveJob[]> {
  const groups = new Map<string, LiveJob[]>();
  for (const job of jobs) {
    const group = groups.get(job.owner ?? '');
    if (group) group.push(job);
    else groups.set(job.owner ?? '', [job]);
  }
  return groups;
}
