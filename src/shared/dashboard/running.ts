/** A running job. Times are in ms since 1970, durations in ms. */
export interface RunningJob {
  id: string;
  name: string;
  title?: string | undefined;
  owner?: string | undefined;
  attempt: number;
  startedAt: number;
  /** 0 to 100; `null` while unknown. */
  percent: number | null;
  stage?: string | undefined;
  current?: number | undefined;
  total?: number | undefined;
  unit?: string | undefined;
  ratePerSecond?: number | undefined;
  etaMs?: number | undefined;
  message?: string | undefined;
}

/** The fields of a `progress` event that the dashboard shows. */
export type ReportedProgress = Pick<
  RunningJob,
  'percent' | 'stage' | 'current' | 'total' | 'unit' | 'ratePerSecond' | 'etaMs' | 'message'
>;

/** The jobs that this process runs. An update costs one map access; the jobs are read only while a dashboard is open. */
export class RunningJobs {
  private readonly jobs = new Map<string, { job: RunningJob; progress?: ReportedProgress }>();
  /** Whether a job has changed since the last `read`. */
  changed = false;

  get size(): number {
    return this.jobs.size;
  }

  begin(job: RunningJob): void {
    this.jobs.set(job.id, { job });
    this.changed = true;
  }

  progress(jobId: string, progress: ReportedProgress): void {
    const running = this.jobs.get(jobId);
    if (!running) return;
    running.progress = progress;
    this.changed = true;
  }

  end(jobId: string, attempt: number): void {
    // Another run of the same job may have started here after this run lost the job.
    if (this.jobs.get(jobId)?.job.attempt !== attempt) return;
    this.jobs.delete(jobId);
    this.changed = true;
  }

  /** Returns all jobs with their newest progress. */
  read(): RunningJob[] {
    this.changed = false;
    return Array.from(this.jobs.values(), ({ job, progress }) => ({ ...job, ...progress }));
  }
}
