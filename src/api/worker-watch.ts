import type { WorkerCensus } from '../shared/bullmq/worker-census.js';
import { jobOfChannel } from '../shared/channel/keys.js';
import { addressOf } from '../shared/jobs/queues.js';
import type { Logger } from '../shared/process/log.js';

const LOOK_MS = 1000;

export interface WorkerWatchOptions {
  /** The names of the channels that are watched here. */
  channels: () => Iterable<string>;
  census: WorkerCensus;
  /** A queue has lost its last worker, or has one again. */
  onChange: (queue: string) => void;
  log: Logger;
}

/**
 * Looks whether the queues of the jobs that are watched here have workers, so that no viewer has to ask.
 * @returns stops it
 */
export function watchWorkers({ channels, census, onChange, log }: WorkerWatchOptions): () => void {
  let known = new Map<string, boolean>();

  async function look(): Promise<void> {
    const ids = [...channels()].flatMap((name) => jobOfChannel(name) ?? []);
    const queues = new Set(ids.flatMap((id) => addressOf(id)?.queue ?? []));
    const now = new Map<string, boolean>();
    for (const queue of queues) {
      now.set(queue, await census.serves(queue));
      // Also one that was never looked at: it may have changed since its viewer came.
      if (known.get(queue) !== now.get(queue)) onChange(queue);
    }
    known = now;
  }

  let looking = false;
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    look()
      .catch((error) => log.debug({ err: error }, 'could not look at the workers'))
      .finally(() => {
        looking = false;
      });
  }, LOOK_MS);
  return () => clearInterval(timer);
}
