import type { Job, Queue, RepeatOptions } from 'bullmq';

/** Creates the next run of a schedule, unless it exists already. A worker does the same when it takes a scheduled run. */
export async function makeNextRun(queue: Queue, run: Job): Promise<void> {
  const scheduler = await queue.jobScheduler;
  const { repeat } = run.opts as { repeat: RepeatOptions };
  await scheduler.upsertJobScheduler(run.repeatJobKey!, repeat, run.name, run.data, run.opts, {
    override: false,
    producerId: run.id!,
  });
}
