/** What is known of a job that runs. Times are ms since 1970 unless a name says otherwise. */
export interface RunningJob {
  id: string;
  name: string;
  owner?: string | undefined;
  attempt: number;
  startedAt: number;
  /** 0 to 100; `null` while nobody can say. */
  percent: number | null;
  stage?: string | undefined;
  current?: number | undefined;
  total?: number | undefined;
  unit?: string | undefined;
  ratePerSecond?: number | undefined;
  etaMs?: number | undefined;
  message?: string | undefined;
}

/** What of the data of a `progress` event the dashboard shows. */
export type ReportedProgress = Pick<
  RunningJob,
  'percent' | 'stage' | 'current' | 'total' | 'unit' | 'ratePerSecond' | 'etaMs' | 'message'
>;

/** The jobs that this process runs. An update costs one look-up: it is read only while somebody looks at a dashboard. */
export class RunningJobs {
  private readonly jobs = new Map<string, { job: RunningJob; progress?: ReportedProgress }>();
  /** Has changed since it was last read. */
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
    // Another run of the same job may have begun here since this one lost it.
    if (this.jobs.get(jobId)?.job.attempt !== attempt) return;
    this.jobs.delete(jobId);
    this.changed = true;
  }

  /** All of them, as they are now. */
  read(): RunningJob[] {
    this.changed = false;
    return Array.from(this.jobs.values(), ({ job, progress }) => ({ ...job, ...progress }));
  }
}
