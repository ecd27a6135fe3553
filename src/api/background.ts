import { answerWatcherQueries } from '../shared/channel/watchers.js';
import type { ProcessReporting } from '../shared/dashboard/reporting.js';
import { cancelObserver } from '../shared/lifecycle/cancel.js';
import { childrenObserver, createChildRegister } from '../shared/lifecycle/children.js';
import { createLostJobEnder } from '../shared/lifecycle/lost-jobs.js';
import { watchQueues } from '../shared/lifecycle/queue-watch.js';
import { startRecheck } from '../shared/lifecycle/recheck.js';
import type { Service } from '../shared/process/service.js';
import { pingAll } from '../shared/redis/client.js';
import { startHousekeeping } from '../shared/runtime/leader.js';
import { queueNameOf } from '../shared/shards.js';
import { watchRevocations } from './auth/revocation-watch.js';
import { type Core, pubSubOf } from './core.js';
import type { DashboardFeed } from './live/feed.js';
import type { Jobs } from './open-jobs.js';
import type { Streams } from './open-streams.js';
import type { Positions } from './queue-positions/open.js';
import { watchPulse } from './stream/redis-pulse.js';
import { followRemovedJobs } from './stream/removed-jobs.js';
import type { ViewerSet } from './stream/viewer-set.js';
import { watchWorkers } from './stream/worker-watch.js';

/** Starts the background work of an API process. @returns the services to stop */
export function startServices(
  core: Core,
  { store, canceller, expiry, schedules }: Jobs,
  { hub, viewers }: Streams,
  positions: Positions,
  reporting: ProcessReporting,
  feed: DashboardFeed,
  allViewers: Array<ViewerSet<unknown>>,
): Service[] {
  const { plan, connection, subscriberRedis, log } = core;
  const { redis, keyspace, reconciler, faults } = connection;
  const register = createChildRegister(redis, keyspace, connection.readJob);
  const housekeeping = startHousekeeping({
    ...core,
    role: 'api',
    reconciler,
    following: reconciler.with(
      schedules.observer,
      childrenObserver(register, canceller),
      cancelObserver(canceller),
    ),
    onChanged: reporting.changed,
    schedules,
    expiry,
    canceller,
    store,
  });
  const onLost = createLostJobEnder(hub, connection.publisher, redis);
  const recheck = startRecheck(hub, redis, reconciler, log, onLost, faults);
  const listening = { redis: subscriberRedis, keyspace, log };
  watchQueues({ ...listening, onChange: recheck.queue, onGap: recheck.all });
  watchRevocations({ ...listening, streams: allViewers });
  answerWatcherQueries({ ...pubSubOf(core), count: (channel) => hub.count(channel), log });
  const channels = () => hub.channels();
  const isFollowed = (queue: string): boolean => plan.names.includes(queueNameOf(queue));
  return [
    housekeeping,
    recheck,
    followRemovedJobs({ channels, redis, keyspace, isFollowed, reconciler, onLost, faults, log }),
    watchWorkers({ channels, census: connection.census, onChange: recheck.queue, log }),
    positions.announce(channels),
    watchPulse({
      connections: [
        {
          get status() {
            return redis.status;
          },
          ping: () => pingAll(redis),
        },
        subscriberRedis,
      ],
      needed: () => allViewers.some(({ count }) => count > 0),
      onCheck(away) {
        viewers.setRedisAway(away);
        feed.setRedisAway(away);
      },
    }),
  ];
}
