import type { ChildFailedError, JobError } from '../../shared/errors.js';

/** Of so many children the stream says that they failed, in one attempt. */
const MAX_TOLD = 100;

/** The data of a `child` event, without what all events of a job have. */
export interface FailedChild {
  childId: string;
  childName: string;
  state: 'failed' | 'cancelled';
  error: JobError;
  /** The last one that is told: how many more fail is only counted. */
  last?: true;
  at: number;
}

/** Tells the viewers of one attempt which of its children failed. */
export class FailedChildren {
  private readonly inFlight = new Set<Promise<unknown>>();
  private told = 0;

  constructor(
    private readonly publish: (data: FailedChild) => Promise<unknown>,
    private readonly warn: (message: string) => void,
  ) {}

  add({ jobId, jobName, error }: ChildFailedError): void {
    if (this.told >= MAX_TOLD) return;
    this.told++;
    const data: FailedChild = {
      childId: jobId,
      childName: jobName,
      state: error.code === 'cancelled' ? 'cancelled' : 'failed',
      error,
      ...(this.told === MAX_TOLD ? { last: true } : {}),
      at: Date.now(),
    };
    const done: Promise<unknown> = this.publish(data)
      .catch((reason) => this.warn(`the failure of a child could not be published: ${reason}`))
      .finally(() => this.inFlight.delete(done));
    this.inFlight.add(done);
  }

  /** Resolves when Redis has all of it. */
  async flush(): Promise<void> {
    await Promise.all(this.inFlight);
  }
}
