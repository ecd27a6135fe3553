import { ChannelHub } from '../shared/channel/hub.js';
import { createReader } from '../shared/channel/reader.js';
import { createHistory, type History } from '../shared/dashboard/history.js';
import { internalKeyspace } from '../shared/dashboard/keys.js';
import { type ProcessReporting, startProcessReporting } from '../shared/dashboard/reporting.js';
import type { QueuePlan } from '../shared/jobs/queues.js';
import type { Registry } from '../shared/jobs/registry.js';
import type { Logger } from '../shared/process/log.js';
import type { Subscriber } from '../shared/redis/subscriber.js';
import type { Connection } from '../shared/runtime/connection.js';
import { createPageReader } from './jobs/page.js';
import { DashboardViewers } from './live/dashboard-viewers.js';
import { createFailedReader } from './live/failed-jobs.js';
import { DashboardFeed } from './live/feed.js';
import { createCountReader } from './live/index-counts.js';
import { OverviewViewers } from './overview/viewers.js';
import type { ViewerSetOptions } from './stream/viewer-set.js';
import type { ChannelViewers } from './stream/viewers.js';

export interface OpenLiveOptions {
  connection: Connection;
  /** A connection for Pub/Sub; it may be shared. */
  subscriberRedis: Subscriber;
  plan: QueuePlan;
  registry: Registry;
  viewers: ChannelViewers;
  viewerOptions: ViewerSetOptions;
  log: Logger;
}

/** Opens the dashboard's feed, the viewers of dashboards and overviews, and the reports of this process. */
export function openLive(options: OpenLiveOptions): {
  dashboard: DashboardViewers;
  overviews: OverviewViewers;
  reporting: ProcessReporting;
  feed: DashboardFeed;
  history: History;
} {
  const { connection, subscriberRedis, plan, registry, viewers, viewerOptions, log } = options;
  const { redis, server, keyspace, trackJob, faults } = connection;
  const reporting = startProcessReporting({
    redis,
    publishing: connection.publishing,
    keyspace,
    sharded: server.sharded,
    role: 'api',
    describe: () => ({ viewers: viewers.count + dashboard.count + overviews.count }),
    log,
  });
  const readPage = createPageReader(redis, keyspace);
  const feed = new DashboardFeed({
    redis,
    keyspace,
    plan,
    census: connection.census,
    kinds: [...registry.keys()],
    counts: createCountReader(redis, keyspace),
    failed: createFailedReader(readPage, trackJob, faults),
    readPage,
    trackJob,
    faults,
    hub: new ChannelHub({
      redis: subscriberRedis,
      read: createReader(redis, internalKeyspace(keyspace)),
      keyspace: internalKeyspace(keyspace),
      sharded: server.sharded,
      onError: (error) => log.debug({ err: error }, 'could not subscribe to the dashboard channel'),
    }),
    self: reporting.view,
    redisVersion: server.version,
    log,
  });
  const dashboard: DashboardViewers = new DashboardViewers(feed, viewerOptions);
  const overviews: OverviewViewers = new OverviewViewers({
    ...viewerOptions,
    feed,
    readPage,
    readJob: trackJob,
    faults,
  });
  return { dashboard, overviews, reporting, feed, history: createHistory(redis, keyspace) };
}
