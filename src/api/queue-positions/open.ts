import type { QueuePlan } from '../../shared/jobs/queues.js';
import { createPublishedStateReader } from '../../shared/lifecycle/published.js';
import type { Logger } from '../../shared/process/log.js';
import type { Service } from '../../shared/process/service.js';
import type { Connection } from '../../shared/runtime/connection.js';
import { announcePositions } from './announce.js';
import type { QueuePace } from './pace.js';
import { createPositionReader } from './read.js';
import { createUsualPaceReader } from './usual-pace.js';
import { createPositionView, type PositionView } from './view.js';

/** The positions of waiting jobs in their queues. */
export interface Positions {
  view: PositionView;
  /** Publishes the positions of the jobs that are watched. @param channels the channels with viewers in this process */
  announce(channels: () => Iterable<string>): Service;
}

export function openPositions(
  { redis, keyspace, publisher }: Connection,
  plan: QueuePlan,
  log: Logger,
): Positions {
  const paces = new Map<string, QueuePace>();
  const readPositions = createPositionReader(redis, keyspace);
  const readUsualPace = createUsualPaceReader(redis, keyspace, plan);
  const readPublished = createPublishedStateReader(redis, keyspace);
  return {
    view: createPositionView(readPositions, readUsualPace, paces),
    announce: (channels) =>
      announcePositions({
        channels,
        readPositions,
        readUsualPace,
        readPublished,
        publisher,
        redis,
        paces,
        log,
      }),
  };
}
