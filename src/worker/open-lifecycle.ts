import { createCanceller } from '../shared/lifecycle/cancel.js';
import { createExpiry } from '../shared/lifecycle/expiry.js';
import { createScheduleMaintainer } from '../shared/schedules/maintainer.js';
import type { Core } from './core.js';
import { openChildren } from './run/children/services.js';

export type Lifecycle = ReturnType<typeof openLifecycle>;

/** Queues, schedules, expiry, cancellation and child jobs, with the reconciler that takes all of them into account. */
export function openLifecycle({ config, registry, plan, connection, store, log }: Core) {
  const { redis, keyspace, openQueue, readJob } = connection;
  const expiry = createExpiry(redis, keyspace);
  const schedules = createScheduleMaintainer({
    redis,
    keyspace,
    openQueue,
    plan,
    readJob,
    reconciler: connection.reconciler,
    expiry,
    files: store,
    filesTtlMs: config.FILES_TTL_MS,
    log,
  });
  // A job must not fail because Redis refuses commands for a while.
  const reconciler = connection.reconciler
    .with(schedules.observer)
    .retrying((error) => log.warn({ err: error }, 'Redis refused an event; retrying'));

  const canceller = createCanceller({
    redis,
    openQueue,
    keyspace,
    reconciler,
  });
  const children = openChildren({
    config,
    connection,
    reconciler,
    registry,
    plan,
    openQueue,
    expiry,
    store,
    canceller,
    log,
  });
  return { openQueue, expiry, schedules, reconciler, canceller, children };
}
