/** What the checker compares. Times are ms since 1970. */

/** The kinds of item that have to arrive exactly once and in order. */
export type Kind = 'log' | 'event' | 'partial';
export const KINDS: readonly Kind[] = ['log', 'event', 'partial'];

/** A line of a job's own record, written before the job says the same to Headway. */
export interface Said {
  /** How a run ends: `return`, `throw`, or `stop` when its signal was aborted. */
  what: 'start' | 'progress' | 'stage' | 'return' | 'throw' | 'stop' | Kind;
  /** A random name for one run: two runs of one attempt are told apart by it. */
  run: string;
  attempt: number;
  /** From 1 in each run, for each kind and for progress. */
  n: number;
  at: number;
  /** Of a `stop`: why the signal was aborted. */
  why?: string;
  /** Of a `start`: the job's label, and the id of its parent. */
  label?: string;
  parent?: string;
}

/** One log line, custom event or chunk, as a viewer got it. */
export interface Item {
  kind: Kind;
  run: string;
  n: number;
  /** Whether its filling was as long as it says. */
  whole: boolean;
}

/** One event as a viewer got it, without what the checker does not need. */
export interface Seen {
  at: number;
  /** The id that Headway gave it; empty for `reset`. */
  id: string;
  event: string;
  attempt?: number;
  items?: Item[];
  /** How many items of the attempt the stream says are missing. */
  missing?: Partial<Record<Kind, number>>;
  /** Of `progress`. */
  percent?: number | null;
  /** Of `progress`: which report of which run it shows. */
  progress?: { run: string; n: number };
  /** Of `completed`: the run whose result it carries. */
  result?: string;
  /** Of `failed` and `retrying`. */
  error?: string;
}

/** An answer that makes an EventSource give up. */
export interface Refusal {
  at: number;
  status: number;
}

export interface ViewerRecord {
  name: string;
  seen: Seen[];
  refusals: Refusal[];
  /** When it was answered 204; a viewer that never was has not come to its end. */
  doneAt?: number;
}

/** One job with everything that is known of it from outside. */
export interface JobRecord {
  id: string;
  kind: string;
  attempts: number;
  /** When the 202 came. */
  acceptedAt: number;
  /** When somebody asked for its end. */
  cancelledAt?: number;
  /** Ended with its parent, it may be cancelled without being asked. */
  isChild?: boolean;
  said: Said[];
  viewers: ViewerRecord[];
  /** The state that `GET /v1/jobs/:id` gave at the end; `gone` when there was no such job. */
  state: string;
}

/** An event on a channel that is no job's, as it was published. */
export interface Publication {
  n: number;
  at: number;
  /** When it was answered 200; it may have been asked for many times before. */
  until?: number;
  /** Whether it was a state, of which only the newest matters. */
  state: boolean;
}

export interface ChannelRecord {
  name: string;
  published: Publication[];
  viewers: ViewerRecord[];
}

/** One fault: what was broken, from when to when. */
export interface FaultRecord {
  kind: string;
  target: string;
  from: number;
  to: number;
  /** For a fault that loses what Redis has acknowledged: everything since this time may be lost. */
  losesFrom?: number;
}

export interface Finding {
  kind: string;
  /** The job or channel. */
  subject: string;
  viewer?: string;
  text: string;
  /** About when it went wrong. */
  at: number;
}
