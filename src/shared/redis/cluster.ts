import type { EventEmitter } from 'node:events';
import { Cluster, type ClusterOptions, type Command, type Redis } from 'ioredis';
import type { Options, Target } from './address.js';
import { masterOf, mastersOf, nodeName } from './client.js';
import { clusterOptions, nodeOptionsOf } from './cluster-options.js';
import { countCommands, countOutages } from './command-metrics.js';
import { isClusterDown } from './faults.js';
import { watchLiveness } from './liveness.js';
import { keepScriptsFromMovingSlots } from './moving-slots.js';
import type { ConnectionRole } from './role.js';
import { noteServerRun, noteTopology } from './server-run.js';

/** How often the slots are read while a master is away or refuses commands, in ms. */
const AWAY_REFRESH_MS = 200;
/** The wait before a command is sent again, in ms. */
const AGAIN_MS = 100;

/** What to do with a command whose node is lost or refuses it, because the Cluster is changing. */
const patience = (
  role: ConnectionRole,
): Pick<
  ClusterOptions,
  'maxRedirections' | 'retryDelayOnFailover' | 'retryDelayOnClusterDown' | 'retryDelayOnTryAgain'
> =>
  role === 'request' || role === 'report'
    ? // A lost command may have been processed. A refused one (MOVED, ASK, TRYAGAIN) was not: it is sent again for a while.
      { retryDelayOnFailover: 0, retryDelayOnClusterDown: 0, retryDelayOnTryAgain: AGAIN_MS }
    : {
        maxRedirections: Number.POSITIVE_INFINITY,
        retryDelayOnFailover: AGAIN_MS,
        retryDelayOnClusterDown: AGAIN_MS,
        retryDelayOnTryAgain: AGAIN_MS,
      };

/**
 * Opens connections to the nodes of a Redis Cluster, for commands. Each command goes to the master of its keys' slot, and
 * follows a slot that moves.
 *
 * Automatic pipelining of ioredis is not used: it fails commands that share a pipeline with one whose slot has moved, and does
 * not read the slots again then. The commands of a turn are written together instead, see {@link gatherWrites}.
 */
export function connectCluster(
  { nodes = [], options }: Target,
  role: ConnectionRole,
  { enableAutoPipelining: _, ...roleOptions }: Options,
): Cluster {
  const { scripts, ...nodeOptions } = roleOptions;
  const cluster = new Cluster(nodes, {
    ...patience(role),
    ...clusterOptions(nodeOptionsOf({ ...options, ...nodeOptions })),
    ...(scripts ? { scripts: scripts as NonNullable<ClusterOptions['scripts']> } : {}),
  });
  watch(cluster, role);
  const { duplicate } = cluster;
  cluster.duplicate = (...args) => {
    const copy = duplicate.apply(cluster, args);
    watch(copy, role);
    return copy;
  };
  return cluster;
}

/** Internals of ioredis that its types leave out. */
interface Internals {
  /** The connections to the nodes. It emits `drain` when the last one has ended. */
  connectionPool: EventEmitter;
  refreshSlotsCache(): void;
  sendCommand(command: Command, stream?: unknown, node?: unknown): unknown;
}

/**
 * Watches the connections of a Cluster. It emits `away` when the first master becomes unreachable, and `back` when every slot
 * has a master again.
 */
function watch(cluster: Cluster, role: ConnectionRole): void {
  const internals = cluster as unknown as Internals;
  const away = new Set<string>();
  let masters = '';
  let timer: NodeJS.Timeout | undefined;
  cluster.on('error', () => {});
  keepScriptsFromMovingSlots(cluster);
  drainOnce(internals.connectionPool);
  settleConnect(cluster);

  const isOpen = (): boolean => cluster.status === 'ready' || cluster.status === 'connect';
  const lookAgain = (): void => {
    if (away.size > 0 && isOpen()) internals.refreshSlotsCache();
  };
  function lost(name: string): void {
    // A connection is also closed when its node has lost its last slot, or with the Cluster.
    if (!isOpen() || !mastersOf(cluster).has(name)) return;
    if (!away.has(name)) noteTopology();
    internals.refreshSlotsCache();
    timer ??= setInterval(lookAgain, AWAY_REFRESH_MS).unref();
    if (away.size === 0) cluster.emit('away', name);
    away.add(name);
  }
  let refreshedAt = Number.NEGATIVE_INFINITY;
  /** A master that is separated from the others refuses commands. Another may have taken over. */
  function refused(error: Error): void {
    if (!isClusterDown(error) || !isOpen() || performance.now() - refreshedAt < AWAY_REFRESH_MS) return;
    refreshedAt = performance.now();
    internals.refreshSlotsCache();
  }
  function back(name: string): void {
    if (!away.delete(name) || away.size > 0) return;
    clearInterval(timer);
    timer = undefined;
    cluster.emit('back');
  }
  cluster.on('+node', (node: Redis) => {
    const name = nodeName(node);
    noteServerRun(node, { clock: false });
    countCommands(node, role);
    watchLiveness(node, { listens: false });
    gatherWrites(node);
    const { reconnectOnError } = node.options;
    node.options.reconnectOnError = (error) => {
      refused(error);
      return reconnectOnError?.(error) ?? false;
    };
    node.on('ready', () => back(name));
    node.on('end', () => lost(name));
  });
  cluster.on('refresh', () => {
    const now = mastersOf(cluster);
    const text = [...now].sort().join();
    if (masters && text !== masters) noteTopology();
    masters = text;
    for (const name of away) if (!now.has(name)) back(name);
    // So that the first command for a master does not wait, and a master that is away is noticed when it is back.
    for (const node of cluster.nodes('master')) {
      if (node.status === 'wait' && now.has(nodeName(node))) node.connect().catch(() => {});
    }
  });
  cluster.on('end', () => clearInterval(timer));
  countOutages(cluster, role, { lost: 'away', back: 'back' });
  if (role === 'request' || role === 'report') failFast(cluster, internals, away);
}

/**
 * Makes the connections to the nodes of a Cluster end once. ioredis 6 closes the Cluster again with each of them that ends
 * after the last one has left the pool: also when it has ended, or is being connected again. A worker of BullMQ then waits for
 * ever for its connection, and takes no job of its queue.
 */
function drainOnce(pool: EventEmitter): void {
  const { emit } = pool;
  let isDrained = false;
  pool.on('+node', () => {
    isDrained = false;
  });
  pool.emit = (event, ...args) => {
    if (event === 'drain') {
      if (isDrained) return false;
      isDrained = true;
    }
    return emit.call(pool, event, ...args);
  };
}

/**
 * Makes `connect` settle when the Cluster is ready or has ended. In ioredis 6, its promise stays pending if the first node that
 * is asked says that the Cluster has failed, as during a failover, and a later try succeeds. A worker of BullMQ waits for it.
 */
function settleConnect(cluster: Cluster): void {
  const { connect } = cluster;
  cluster.connect = () => {
    let settle = (): void => {};
    return new Promise<void>((resolve, reject) => {
      const onEnd = (): void => reject(new Error('Connection is closed.'));
      settle = () => void cluster.off('ready', resolve).off('end', onEnd);
      cluster.on('ready', resolve).on('end', onEnd);
      connect.call(cluster).then(resolve, reject);
    }).finally(settle);
  };
}

/** Refuses commands at once while the Cluster, or the master of their slot, is away. */
function failFast(cluster: Cluster, internals: Internals, away: ReadonlySet<string>): void {
  const sendCommand = internals.sendCommand.bind(cluster);
  internals.sendCommand = (command, stream, node) => {
    if (command.name === 'cluster' || stream) return sendCommand(command, stream, node);
    const slot = command.getSlot();
    const isAway =
      cluster.status !== 'ready' ||
      (away.size > 0 && slot !== null && away.has(masterOf(cluster, slot) ?? ''));
    if (!isAway) return sendCommand(command, stream, node);
    command.reject(new Error('Connection is closed.'));
    return command.promise;
  };
}

/** Writes the commands of one turn of the event loop to the socket of a node together: one system call instead of many. */
function gatherWrites(node: Redis): void {
  const connection = node as unknown as Internals & { stream?: { cork(): void; uncork(): void } };
  const { sendCommand } = connection;
  let corked: (typeof connection)['stream'];
  const flush = (): void => {
    corked?.uncork();
    corked = undefined;
  };
  connection.sendCommand = function (this: unknown, command, stream, target) {
    // ioredis also sends a command again that has timed out while it waited: the caller may have repeated it.
    if (command.isSettled) return command.promise;
    const { stream: socket } = connection;
    if (socket && !corked && node.status === 'ready') {
      socket.cork();
      corked = socket;
      setImmediate(flush);
    }
    return sendCommand.call(this, command, stream, target);
  };
}
