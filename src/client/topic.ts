import { ProblemError } from './errors.js';
import type { StreamEvent } from './parser.js';
import type { Status } from './stream.js';

/** What a client can follow: a job, a channel, or all jobs of the caller. */
export interface Topic {
  kind: 'job' | 'channel' | 'jobs';
  /** The job's id, or the channel's name; `mine` for the caller's jobs. */
  name: string;
  /** The job's token, for callers without other access. */
  token?: string | undefined;
  /** How many of a channel's newest events to replay first. */
  last?: number | undefined;
  /** The id of the last event received, to resume after it. */
  lastEventId?: string | undefined;
  /** Jobs only: stays open after the job's end, because the job may run again. */
  stays?: boolean | undefined;
}

/** A listener of a topic. It gets every event once, in order, with the event's own id. */
export interface Listener {
  onEvent(event: StreamEvent): void;
  onStatus(status: Status): void;
  /** Called when no more events follow. */
  onEnd(error?: ProblemError): void;
  /**
   * Called when the topic was refused together with others, and must be followed alone.
   * @param lastEventId its position
   */
  onIsolate?(lastEventId: string): void;
}

/** Follows topics over as few connections as possible. */
export interface Pool {
  /** @returns a function that stops following */
  follow(topic: Topic, listener: Listener): () => void;
}

/** Whether an event is the terminal event of a job. */
export const isTerminal = (event: string): boolean =>
  event === 'completed' || event === 'failed' || event === 'cancelled';

/**
 * Text that cannot be one segment of a path: a URL would resolve it to another path, or cannot contain it. Without `\p{C}`,
 * which is a syntax error in older engines of React Native (facebook/hermes#1027).
 */
const NO_SEGMENT = /^\.{0,2}$|[/\\?#\s\ud800-\udfff]/u;

/** The problem of an id that no job can have. */
export function invalidIdProblem(id: string): ProblemError | undefined {
  return NO_SEGMENT.test(id) ? notFound(`${JSON.stringify(id)} is not a job id.`) : undefined;
}

/** The problem that the service would return for an unknown job, created without a request. */
export const notFound = (detail: string): ProblemError =>
  new ProblemError({ status: 404, code: 'not-found', title: 'Not found', detail });
