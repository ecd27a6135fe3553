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
  const [, schedule, dueAt] = RUN_ID.exec(bullmqId) ?? [];
  return schedule === undefined ? undefined : { schedule, dueAt: Number(dueAt) };
}

/** Returns the id of a scheduled run in BullMQ. */
export const runId = ({ schedule, dueAt }: ScheduledRun): string => `repeat:${schedule}:${dueAt}`;
