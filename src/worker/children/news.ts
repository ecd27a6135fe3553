import type { ChildFailedError, JobError } from '../../shared/errors.js';
import { InFlight } from '../in-flight.js';
import { type LogLine, sendLine } from '../job-log.js';
import type { Outlet } from '../outlet.js';

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

/** Tells the viewers of one attempt what becomes of its children, wherever the attempt itself runs. */
export class ChildNews {
  private readonly inFlight: InFlight;
  private told = 0;

  constructor(
    private readonly of: { jobId: string; attempt: number },
    private readonly outlet: Outlet,
  ) {
    this.inFlight = new InFlight((error) =>
      outlet.warn(`what became of a child could not be published: ${error}`),
    );
  }

  failed({ jobId, jobName, error }: ChildFailedError): void {
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
    this.inFlight.add(this.outlet.event('child', JSON.stringify({ ...this.of, ...data })));
  }

  /** Says in the job's log that so many children are cancelled, because the job comes to its end before them. */
  cancelled(count: number): void {
    const message = `children that have not ended are cancelled: ${count}`;
    const line: LogLine = { level: 'warn', message, at: Date.now() };
    this.inFlight.add(sendLine(this.outlet, this.of, line));
  }

  /** Resolves when Redis has all of it. */
  landed(): Promise<void> {
    return this.inFlight.landed();
  }
}
