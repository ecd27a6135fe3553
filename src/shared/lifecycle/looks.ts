import type { JobFaults } from './job-faults.js';

/** Looks that are under way at most. */
const MAX_PENDING = 2000;

/** A piece of work on one job. */
export interface Look {
  jobId: string;
  work: () => Promise<unknown>;
}

/**
 * Looks at many jobs without waiting for the slowest: a job with a million lines of log takes minutes, and the others
 * must not wait for it. Looks at the same job follow one another.
 */
export class Looks {
  private readonly pending = new Map<string, Promise<void>>();
  private failure: { error: unknown } | undefined;

  constructor(
    private readonly faults: JobFaults,
    /** A round is waited for at most this long, in ms. */
    private readonly patienceMs: number,
  ) {}

  /** Whether every look has ended. */
  get idle(): boolean {
    return this.pending.size === 0;
  }

  /**
   * Begins looks, and resolves when they have ended or take too long.
   * @throws the error of a look, also of an earlier round, that means that Redis is away
   */
  async round(looks: readonly Look[]): Promise<void> {
    const begun = looks.map(({ jobId, work }) => this.begin(jobId, work));
    if (begun.length > 0) await this.waitFor(Promise.all(begun));
    while (this.pending.size > MAX_PENDING) await Promise.race(this.pending.values());
    if (this.failure) throw this.failure.error;
  }

  private begin(jobId: string, work: () => Promise<unknown>): Promise<void> {
    const look: Promise<void> = (this.pending.get(jobId) ?? Promise.resolve())
      .then(() => this.faults.guard('reconcile', jobId, work))
      .catch((error) => {
        this.failure ??= { error };
      })
      .then(() => {
        if (this.pending.get(jobId) === look) this.pending.delete(jobId);
      });
    this.pending.set(jobId, look);
    return look;
  }

  private async waitFor(round: Promise<unknown>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, this.patienceMs);
    });
    await Promise.race([round, late]);
    clearTimeout(timer);
  }
}
