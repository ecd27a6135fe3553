import { createPublishedStateReader } from '../../shared/lifecycle/published.js';
import type { Logger } from '../../shared/process/log.js';
import type { Service } from '../../shared/process/service.js';
import type { Connection } from '../../shared/runtime/connection.js';
import { announcePositions } from './announce.js';
import type { QueuePace } from './pace.js';
import { createPositionReader } from './read.js';
import { createPositionView, type PositionView } from './view.js';

/** The positions of waiting jobs in their queues. */
export interface Positions {
  view: PositionView;
  /** Publishes the positions of the jobs that are watched. @param channels the channels with viewers in this process */
  announce(channels: () => Iterable<string>): Service;
}

export function openPositions({ redis, keyspace, publisher }: Connection, log: Logger): Positions {
  const paces = new Map<string, QueuePace>();
  const readPositions = createPositionReader(redis, keyspace);
  const readPublished = createPublishedStateReader(redis, keyspace);
  return {
    view: createPositionView(readPositions, paces),
    announce: (channels) =>
      announcePositions({ channels, readPositions, readPublished, publisher, redis, paces, log }),
  };
}
