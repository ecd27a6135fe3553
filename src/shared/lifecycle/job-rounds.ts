import type { JobFaults } from './job-faults.js';

/** The maximum number of tasks in progress. */
const MAX_PENDING = 2000;

/** Work on one job. */
export interface JobTask {
  jobId: string;
  work: () => Promise<unknown>;
}

/**
 * Works on many jobs in rounds, without waiting for the slowest: a job with a million log lines takes minutes and must not
 * hold up the others. Tasks for the same job run one after another.
 */
export class JobRounds {
  private readonly pending = new Map<string, Promise<void>>();
  private failure: { error: unknown } | undefined;

  constructor(
    private readonly faults: JobFaults,
    /** The maximum time to wait for a round, in ms. */
    private readonly waitMs: number,
  ) {}

  /** Whether all tasks have ended. */
  get idle(): boolean {
    return this.pending.size === 0;
  }

  /**
   * Starts a round of tasks. Resolves when they have ended, or after the maximum time.
   * @throws the error of a task, even one of an earlier round, if it means that Redis is unavailable
   */
  async run(tasks: readonly JobTask[]): Promise<void> {
    const started = tasks.map(({ jobId, work }) => this.start(jobId, work));
    if (started.length > 0) await this.waitFor(Promise.all(started));
    while (this.pending.size > MAX_PENDING) await Promise.race(this.pending.values());
    if (this.failure) throw this.failure.error;
  }

  private start(jobId: string, work: () => Promise<unknown>): Promise<void> {
    const task: Promise<void> = (this.pending.get(jobId) ?? Promise.resolve())
      .then(() => this.faults.guard('reconcile', jobId, work))
      .catch((error) => {
        this.failure ??= { error };
      })
      .then(() => {
        if (this.pending.get(jobId) === task) this.pending.delete(jobId);
      });
    this.pending.set(jobId, task);
    return task;
  }

  private async waitFor(run: Promise<unknown>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, this.waitMs);
    });
    await Promise.race([run, late]);
    clearTimeout(timer);
  }
}
