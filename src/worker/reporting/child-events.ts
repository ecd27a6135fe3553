import type { ChildFailedError, JobError } from '../../shared/errors.js';
import { serverNow } from '../../shared/redis/server-clock.js';
import { lineTexts, sendLine } from './job-log.js';
import type { ReportSink } from './sink.js';

/** Of so many children the stream says that they failed, in one attempt. */
const MAX_PUBLISHED = 100;

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
export class ChildEvents {
  private published = 0;

  constructor(
    private readonly of: { jobId: string; attempt: number },
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
    this.sink.event('child', JSON.stringify({ ...this.of, ...data }));
  }

  /** Says in the job's log that so many children are cancelled, because the job comes to its end before them. */
  cancelled(count: number): void {
    const message = `children that have not ended are cancelled: ${count}`;
    sendLine(this.sink, lineTexts(this.of, { level: 'warn', message, at: serverNow() }));
  }
}
