import type { Status } from '../../stream.js';
import type { JobEvent, Progress } from '../../types.js';
import type { StopSignal } from '../output.js';

/** The result of starting a job. */
export interface Accepted {
  id: string;
  name: string;
  deduplicated: boolean;
}

/** Shows a job while it is watched. */
export interface View {
  /** Shows the upload of a file, before the job is started. */
  uploading(progress: Progress): void;
  accepted(job: Accepted): void;
  event(event: JobEvent): void;
  /** Shows the state of the connection. */
  status(status: Status): void;
  /** Shows a message to the user. */
  note(text: string): void;
  /** Shows a question in place of the bar; `undefined` hides it. */
  question(text: string | undefined): void;
  /** Shows that the job continues unwatched. @param again the command that watches it again */
  detached(jobId: string, signal: StopSignal, again: string): void;
  /** Stops showing the job. */
  close(): void;
}
