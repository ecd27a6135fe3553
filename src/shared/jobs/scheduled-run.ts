/** A run of a schedule, as identified by its job id in BullMQ. */
export interface ScheduledRun {
  /** The id of the schedule, and of BullMQ's job scheduler. */
  schedule: string;
  /** When it is due, ms since 1970. */
  dueAt: number;
}

const RUN_ID = /^repeat:(.+):(\d{1,15})$/;

/** Parses the id of a scheduled run in BullMQ; `undefined` for other jobs. */
export function runOf(bullmqId: string): ScheduledRun | undefined {
  const match = RUN_ID.exec(bullmqId);
  return match ? { schedule: match[1]!, dueAt: Number(match[2]) } : undefined;
}

/** Returns the id of a scheduled run in BullMQ. */
export const runId = ({ schedule, dueAt }: ScheduledRun): string => `repeat:${schedule}:${dueAt}`;
