import type { Job, Queue, RepeatOptions } from 'bullmq';

/** Has a scheduler make the run that follows this one, if it has not been made: what a worker does that takes it. */
export async function makeNextRun(queue: Queue, run: Job): Promise<void> {
  const scheduler = await queue.jobScheduler;
  const { repeat } = run.opts as { repeat: RepeatOptions };
  await scheduler.upsertJobScheduler(run.repeatJobKey!, repeat, run.name, run.data, run.opts, {
    override: false,
    producerId: run.id!,
  });
}
