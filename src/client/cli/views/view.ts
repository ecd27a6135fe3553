import type { Status } from '../../stream.js';
import type { JobEvent, Progress } from '../../types.js';
import type { StopSignal } from '../output.js';

/** What a start was answered. */
export interface Accepted {
  id: string;
  name: string;
  deduplicated: boolean;
}

/** How a job is shown while it runs. */
export interface View {
  /** A file is on its way, before the job is started. */
  uploading(progress: Progress): void;
  accepted(job: Accepted): void;
  event(event: JobEvent): void;
  /** Of the connection. */
  status(status: Status): void;
  /** Something that is said to who sits there. */
  note(text: string): void;
  /** A question takes the place of the bar, until `undefined`. */
  question(text: string | undefined): void;
  /** The watching ends, the job does not. @param again the command that goes on watching */
  detached(jobId: string, signal: StopSignal, again: string): void;
  /** Nothing more is shown. */
  close(): void;
}
