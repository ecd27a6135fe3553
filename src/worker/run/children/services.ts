import { createReader } from '../../../shared/channel/reader.js';
import type { FileStore } from '../../../shared/files/store.js';
import type { OpenQueue, QueuePlan } from '../../../shared/jobs/queues.js';
import type { Registry } from '../../../shared/jobs/registry.js';
import type { Canceller } from '../../../shared/lifecycle/cancel.js';
import { childrenObserver, createChildRegister } from '../../../shared/lifecycle/children.js';
import type { Expiry } from '../../../shared/lifecycle/expiry.js';
import type { ObservableReconciler } from '../../../shared/lifecycle/observers.js';
import type { Config } from '../../../shared/process/config.js';
import type { Logger } from '../../../shared/process/log.js';
import { connectSubscriber } from '../../../shared/redis/connect.js';
import type { Connection } from '../../../shared/runtime/connection.js';
import { createEnqueue } from '../../../shared/runtime/enqueue.js';
import type { ChildServices } from './children.js';
import { createChildStarter } from './starter.js';
import { createChildWatch } from './watch.js';

export interface ChildServicesOptions {
  config: Config;
  connection: Connection;
  /** The observer of children is added to it. */
  reconciler: ObservableReconciler;
  registry: Registry;
  plan: QueuePlan;
  openQueue: OpenQueue;
  expiry: Expiry;
  store: FileStore;
  canceller: Canceller;
  log: Logger;
}

/** Opens the services that the children of all runs of this process share. */
export function openChildren(options: ChildServicesOptions): ChildServices {
  const { config, connection, registry, plan, openQueue, expiry, store, canceller, log } = options;
  const { redis, keyspace, publisher, server, readJob } = connection;
  const register = createChildRegister(redis, keyspace, readJob);
  const reconciler = options.reconciler.with(childrenObserver(register, canceller));
  // The publisher of a worker batches events, so they may be sent later than the commands that follow.
  const enqueue = createEnqueue({
    redis,
    keyspace,
    openQueue,
    publisher,
    expiry,
    webhooks: connection.webhooks,
    oneTurn: false,
  });
  return {
    registry,
    plan,
    register,
    reconciler,
    canceller,
    start: createChildStarter({ openQueue, keyspace, reconciler, register, enqueue, store }),
    watch: createChildWatch({
      connect: () => connectSubscriber(config),
      redis,
      read: createReader(redis, keyspace),
      keyspace,
      sharded: server.sharded,
      reconciler,
      faults: connection.faults,
      log,
    }),
  };
}
