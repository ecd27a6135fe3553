import type { ChildFailedError, JobError } from '../../shared/errors.js';
import { serverNow } from '../../shared/redis/server-clock.js';
import { lineTexts, sendLine } from './job-log.js';
import type { ReportSink } from './sink.js';

/** Maximum number of `child` events in one attempt. */
const MAX_PUBLISHED = 100;

/** The data of a `child` event, without the fields that all events of a job have. */
export interface FailedChild {
  childId: string;
  childName: string;
  state: 'failed' | 'cancelled';
  error: JobError;
  /** Set on the last event of the attempt: further failures are only counted. */
  last?: true;
  at: number;
}

/** Publishes failed and cancelled children to the viewers of one attempt. */
export class ChildEvents {
  private published = 0;

  constructor(
    private readonly origin: { jobId: string; attempt: number },
    private readonly sink: ReportSink,
  ) {}

  failed({ jobId, jobName, error }: ChildFailedError): void {
    if (this.published >= MAX_PUBLISHED) return;
    this.published++;
    const data: FailedChild = {
      childId: jobId,
      childName: jobName,
      state: error.code === 'cancelled' ? 'cancelled' : 'failed',
      error,
      ...(this.published === MAX_PUBLISHED ? { last: true } : {}),
      at: serverNow(),
    };
    this.sink.event('child', JSON.stringify({ ...this.origin, ...data }));
  }

  /** Logs the number of children that are cancelled because the job ends before them. */
  cancelled(count: number): void {
    const message = `cancelling unfinished children: ${count}`;
    sendLine(this.sink, lineTexts(this.origin, { level: 'warn', message, at: serverNow() }));
  }
}
