/** The states of a job that has ended. The terminal events of a job's stream have the same names. */
export const TERMINAL_STATES = ['completed', 'failed', 'cancelled'] as const;
export type TerminalState = (typeof TERMINAL_STATES)[number];

/** All states of a job. They have BullMQ's names, except `cancelled`, which BullMQ does not know. */
export const JOB_STATES = [
  'waiting',
  'delayed',
  'prioritized',
  'waiting-children',
  'active',
  ...TERMINAL_STATES,
] as const;
export type JobState = (typeof JOB_STATES)[number];

/** Returns whether a state, or an event of a job's stream, is terminal. */
export const isTerminal = (state: string | undefined): state is TerminalState =>
  (TERMINAL_STATES as readonly (string | undefined)[]).includes(state);
