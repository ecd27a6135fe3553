/** One run of a schedule: BullMQ's id of it says which. */
export interface ScheduledRun {
  /** The id of the schedule, which is that of BullMQ's scheduler too. */
  schedule: string;
  /** When it is due, ms since 1970. */
  dueAt: number;
}

const RUN_ID = /^repeat:(.+):(\d{1,15})$/;

/** Which run of which schedule a job is, by its id in BullMQ. */
export function runOf(bullmqId: string): ScheduledRun | undefined {
  const match = RUN_ID.exec(bullmqId);
  return match ? { schedule: match[1]!, dueAt: Number(match[2]) } : undefined;
}

/** BullMQ's id of a run. */
export const runId = ({ schedule, dueAt }: ScheduledRun): string => `repeat:${schedule}:${dueAt}`;
