import type { Job } from '../job.js';
import type { JobError, JobEvent, JobView } from '../types.js';
import type { StopSignal } from './output.js';
import type { View } from './views/view.js';

/** How watching a job ended. */
export type End =
  | { state: 'completed'; result: unknown }
  | { state: 'failed'; error: JobError }
  | { state: 'cancelled'; reason: string }
  /** The job continues, unwatched. */
  | { state: 'detached'; signal: StopSignal };

/**
 * Shows a job until it ends.
 * @param signal stops watching; its reason is the signal that the process received
 * @throws ProblemError when the job cannot be watched
 */
export async function follow(job: Job, view: View, signal: AbortSignal): Promise<End> {
  let end: End | undefined;
  await new Promise<void>((resolve, reject) => {
    const stop = job.watch({
      onStatus: (status) => view.status(status),
      onEvent(event) {
        view.event(event);
        end = endOf(event) ?? end;
      },
      onEnd: (error) => (error ? reject(error) : resolve()),
    });
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
  });
  if (end) return end;
  if (signal.aborted) return { state: 'detached', signal: signal.reason };
  // The stream has ended without the terminal event.
  const event = eventOf(await job.get());
  view.event(event);
  return endOf(event);
}

function endOf(event: EndEvent): End;
function endOf(event: JobEvent): End | undefined;
function endOf(event: JobEvent): End | undefined {
  switch (event.event) {
    case 'completed':
      return { state: 'completed', result: event.data.result };
    case 'failed':
      return { state: 'failed', error: event.data.error };
    case 'cancelled':
      return { state: 'cancelled', reason: event.data.reason };
    default:
      return undefined;
  }
}

type EndEvent = Extract<JobEvent, { event: 'completed' | 'failed' | 'cancelled' }>;

/** The terminal event of a job, as its stream would have sent it. */
function eventOf({ id, name, attempt, finishedAt = Date.now(), state, result, error }: JobView): EndEvent {
  const about = { jobId: id, name, attempt, at: finishedAt };
  if (state === 'completed') return { event: 'completed', id: undefined, data: { ...about, result } };
  if (error) return { event: 'failed', id: undefined, data: { ...about, error } };
  return { event: 'cancelled', id: undefined, data: { ...about, reason: 'requested' } };
}
