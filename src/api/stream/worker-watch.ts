import type { WorkerCensus } from '../../shared/bullmq/worker-census.js';
import { jobOfChannel } from '../../shared/channel/keys.js';
import { addressOf } from '../../shared/jobs/queues.js';
import { every } from '../../shared/process/every.js';
import type { Logger } from '../../shared/process/log.js';
import type { Service } from '../../shared/process/service.js';

/** How often the queues are checked, in ms. */
const CHECK_MS = 1000;

export interface WorkerWatchOptions {
  /** The names of the channels that have viewers in this process. */
  channels: () => Iterable<string>;
  census: WorkerCensus;
  /** Called when a queue has lost its last worker, and when it has one again. */
  onChange: (queue: string) => void;
  log: Logger;
}

/** Checks once a second whether the queues of the jobs that are watched in this process have workers. */
export function watchWorkers({ channels, census, onChange, log }: WorkerWatchOptions): Service {
  let known = new Map<string, boolean>();

  async function check(): Promise<void> {
    const ids = [...channels()].flatMap((name) => jobOfChannel(name) ?? []);
    const queues = new Set(ids.flatMap((id) => addressOf(id)?.queue ?? []));
    const now = new Map<string, boolean>();
    for (const queue of queues) {
      now.set(queue, await census.serves(queue));
      // The first result counts as a change too: the queue may have changed since its viewer connected.
      if (known.get(queue) !== now.get(queue)) onChange(queue);
    }
    known = now;
  }

  return every(CHECK_MS, check, (error) =>
    log.debug({ err: error }, 'could not check whether the queues have workers'),
  );
}
