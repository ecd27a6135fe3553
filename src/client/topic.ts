import { ProblemError } from './errors.js';
import type { StreamEvent } from './parser.js';
import type { Status } from './stream.js';

/** What can be followed: a job, a channel, or where all jobs of the caller stand. */
export interface Topic {
  kind: 'job' | 'channel' | 'jobs';
  /** The job's id, or the name of the channel; `mine` for the caller's jobs. */
  name: string;
  /** The job's token, for who has no other right to see it. */
  token?: string | undefined;
  /** How many of a channel's newest events a newcomer wants. */
  last?: number | undefined;
  /** The id of the last event that was seen, to go on from there. */
  lastEventId?: string | undefined;
  /** Of a job: it is followed beyond its end, because it may run again. */
  stays?: boolean | undefined;
}

/** Who follows a topic. Every event comes once, in order, with its own id. */
export interface Listener {
  onEvent(event: StreamEvent): void;
  onStatus(status: Status): void;
  /** Nothing more comes. */
  onEnd(error?: ProblemError): void;
  /** It was refused together with others, and is let go. @param lastEventId where it stands */
  onExpel?(lastEventId: string): void;
}

/** Follows topics over as few connections as possible. */
export interface Pool {
  /** @returns ends it */
  follow(topic: Topic, listener: Listener): () => void;
}

/** Whether an event is the last one of a job. */
export const isTerminal = (event: string): boolean =>
  event === 'completed' || event === 'failed' || event === 'cancelled';

/** What no part of a path can be: URLs would make another path of it, or have no form for it. */
const NO_SEGMENT = /^\.{0,2}$|[/\\?#\s\p{C}]/u;

/** Why a job cannot be asked for: its id is none. */
export function problemOfId(id: string): ProblemError | undefined {
  return NO_SEGMENT.test(id) ? notFound(`${JSON.stringify(id)} is not the id of a job.`) : undefined;
}

/** What the service says of what is not there, without asking it. */
export const notFound = (detail: string): ProblemError =>
  new ProblemError({ status: 404, code: 'not-found', title: 'Not found', detail });
