import type { Job, Queue, RepeatOptions } from 'bullmq';

/**
 * Creates the run after a scheduled run, unless it exists already. A worker does the same when it takes a scheduled run.
 * Does nothing for other jobs.
 */
export async function makeNextRun(queue: Queue, run: Job): Promise<void> {
  const { id, repeatJobKey } = run;
  if (id === undefined || !repeatJobKey) return;
  const scheduler = await queue.jobScheduler;
  const { repeat } = run.opts as { repeat: RepeatOptions };
  await scheduler.upsertJobScheduler(repeatJobKey, repeat, run.name, run.data, run.opts, {
    override: false,
    producerId: id,
  });
}
