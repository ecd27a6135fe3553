/** The records that the checker compares. Times are in ms since 1970. */

/** The kinds of report that must arrive exactly once and in order. */
export type Kind = 'log' | 'event' | 'partial';
export const KINDS: readonly Kind[] = ['log', 'event', 'partial'];

/** A line of the record that a job writes before it makes a report. */
export interface Said {
  /** How a run ends: `return`, `throw`, or `stop` when its signal was aborted. */
  what: 'start' | 'progress' | 'stage' | 'return' | 'throw' | 'stop' | Kind;
  /** A random name of the run, to distinguish two runs of one attempt. */
  run: string;
  attempt: number;
  /** Counts from 1 in each run, for each kind and for progress. */
  n: number;
  at: number;
  /** For `stop`: why the signal was aborted. */
  why?: string;
  /** For `start`: the job's label, and the id of its parent. */
  label?: string;
  parent?: string;
}

/** One log line, custom event or chunk, as a viewer got it. */
export interface Item {
  kind: Kind;
  run: string;
  n: number;
  /** Whether its padding has the stated length. */
  whole: boolean;
}

/** One event as a viewer got it, reduced to what the checker needs. */
export interface Seen {
  at: number;
  /** The event's id; empty for `reset`. */
  id: string;
  event: string;
  attempt?: number;
  items?: Item[];
  /** The number of missing items that the stream states. */
  missing?: Partial<Record<Kind, number>>;
  /** For `progress`: the percentage. */
  percent?: number | null;
  /** For `progress`: the report and run that it shows. */
  progress?: { run: string; n: number };
  /** For `completed`: the run whose result it has. */
  result?: string;
  /** For `failed` and `retrying`: the error message. */
  error?: string;
}

/** A response after which an EventSource gives up. */
export interface Refusal {
  at: number;
  status: number;
}

export interface ViewerRecord {
  name: string;
  seen: Seen[];
  refusals: Refusal[];
  /** When the 204 response arrived; without it, the viewer did not reach the end. */
  doneAt?: number;
}

/** One job with everything that was observed of it. */
export interface JobRecord {
  id: string;
  kind: string;
  attempts: number;
  /** When the 202 response to the start arrived. */
  acceptedAt: number;
  /** Time of the request to cancel it. */
  cancelledAt?: number;
  /** Whether it may be cancelled without a request, because its parent ended. */
  isChild?: boolean;
  said: Said[];
  viewers: ViewerRecord[];
  /** The state from `GET /v1/jobs/:id` at the end, or `gone` if there was no such job. */
  state: string;
}

/** An event that was published to a channel. */
export interface Publication {
  n: number;
  at: number;
  /** When the 200 response arrived; the call may have been repeated before. */
  until?: number;
  /** Whether the event is a state. */
  state: boolean;
}

export interface ChannelRecord {
  name: string;
  published: Publication[];
  viewers: ViewerRecord[];
}

/** One fault, with its target and times. */
export interface FaultRecord {
  kind: string;
  target: string;
  from: number;
  to: number;
  /** For a fault that loses acknowledged data: the time from which it may be lost. */
  losesFrom?: number;
}

export interface Finding {
  kind: string;
  /** The job or channel. */
  subject: string;
  viewer?: string;
  text: string;
  /** The approximate time of the error. */
  at: number;
}
