/** What can be wrong. Each has a section in docs/operations/on-call.md. */
export type AlertKind = 'failed-jobs' | 'waiting-jobs' | 'no-worker' | 'redis-memory';

/** One measurement of what an alert watches. */
export interface Reading {
  /** Identifies the alert: its kind, and the queue or kind of job that it is about. */
  key: string;
  kind: AlertKind;
  /** The queue or kind of job; empty for the whole installation. */
  subject: string;
  /** What is measured, in one sentence. */
  text: string;
  /** Whether the limit is exceeded. */
  over: boolean;
  /** Whether the value is well below the limit. Between the two, an alert stays as it is, so that it does not flap. */
  clear: boolean;
  /** How long the limit must have been exceeded, in ms. */
  forMs: number;
}

/** A message about an alert that has not been delivered yet. */
export interface PendingMessage {
  /** The `webhook-id`: the same for every attempt, so that a receiver can recognize a repetition. */
  id: string;
  what: 'firing' | 'resolved';
  tries: number;
  /** When to try next. */
  at: number;
}

/** The state of an alert, as stored in Redis. Times are ms since 1970 by Redis' clock. */
export interface AlertState {
  key: string;
  kind: AlertKind;
  subject: string;
  text: string;
  firing: boolean;
  /** Since when the limit has been exceeded. */
  since: number;
  /** Since when the value has been well below the limit. */
  okSince?: number | undefined;
  /** When the receiver was last told that the alert is firing. */
  sentAt?: number | undefined;
  /** Whether the last delivered message says that the alert is firing. */
  announced?: boolean | undefined;
  pending?: PendingMessage | undefined;
}
