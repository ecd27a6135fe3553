import { createCanceller } from '../shared/lifecycle/cancel.js';
import { openSchedules } from '../shared/runtime/schedules.js';
import type { Core } from './core.js';
import { openChildren } from './run/children/services.js';

export type Lifecycle = ReturnType<typeof openLifecycle>;

/** Opens queues, schedules, expiry, cancellation and child jobs, and the reconciler that they share. */
export function openLifecycle(core: Core) {
  const { config, registry, plan, connection, store, log } = core;
  const { redis, keyspace, openQueue } = connection;
  const { expiry, schedules } = openSchedules(core, store);
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
