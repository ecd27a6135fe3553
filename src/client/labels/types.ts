/** A text for each form that a language has for numbers, as `Intl.PluralRules` names the forms. */
export type Plural = { other: string } & Partial<Record<Exclude<Intl.LDMLPluralRule, 'other'>, string>>;

/** A text with placeholders in braces, such as `{percent}`. With forms for numbers, its number selects the form. */
export type Message = string | Plural;

/**
 * The words of `<job-progress>` and `<JobProgress>`. An object of this type is a complete translation. Components accept
 * a part of it, and use English words for the rest.
 */
export interface Labels {
  /** The language (BCP 47) that formats numbers and durations, and selects plural forms: `de`, `pt-BR`. */
  lang: string;
  /** The name of a bar for screen readers, if the page gives it no other one. */
  progress: string;

  /** The states of a job. */
  waiting: string;
  /** The job waits, and its queue is paused. */
  paused: string;
  /** The job waits, and no worker serves its queue. */
  noWorker: string;
  delayed: string;
  running: string;
  /** An attempt failed, and the next one follows. */
  retrying: string;
  /** The worker was lost, and another one will take the job. */
  interrupted: string;
  cancelling: string;
  completed: string;
  failed: string;
  cancelled: string;
  /** Nothing is known of the job yet. */
  connecting: string;
  notFound: string;
  cannotLoad: string;

  /** The connection is lost. `{state}` is the last known state. */
  disconnected: string;
  /** `{state}` of a running job that has made no progress for `{time}`. */
  stalled: string;
  /** `{state}` of a waiting job that is at `{place}`. */
  placed: string;
  /** The place of the next job to begin. */
  next: string;
  /** The place of a job that `{count}` jobs precede. */
  jobsBefore: Message;
  /** `{place}` of a job that more jobs may precede. */
  atLeast: string;
  /** `{place}` of a job that is expected to begin in `{time}`. */
  begins: string;
  /** The visible percentage; `{percent}` is a whole number. */
  percent: string;
  /** The percentage as screen readers read it. */
  spokenPercent: Message;
  /** What a screen reader announces: `{label}` is the name of the bar. */
  announcement: string;
  /** The announcement of a quarter: also `{percent}`. */
  announcedProgress: Message;
  /** The announcement of a failure: also `{error}`. */
  announcedError: string;
}
