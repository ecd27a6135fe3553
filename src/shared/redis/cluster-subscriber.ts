import { EventEmitter } from 'node:events';
import { Cluster, Redis } from 'ioredis';
import { slotOf } from '../hash-slot.js';
import type { Options, Target } from './address.js';
import { masterOf, mastersOf } from './client.js';
import { clusterOptions, nodeOptionsOf } from './cluster-options.js';
import { countCommands, countOutages } from './command-metrics.js';
import { noteDenied } from './denied.js';
import { isDenied } from './faults.js';
import { watchLiveness } from './liveness.js';
import { onTopology } from './server-run.js';
import type { Subscriber } from './subscriber.js';

/** How often the slots are read again while a channel has no master that it is subscribed to, in ms. */
const AGAIN_MS = 100;
/**
 * How often the slots are read when the masters have changed. One read is not enough: a master that is separated from the other
 * nodes may answer it, with itself as a master. Once another node has answered, that one is not asked any more.
 */
const READS_AFTER_CHANGE = 10;

/** A channel to subscribe to. */
interface Wanted {
  slot: number;
  /** The master on which it is subscribed to, or will be; `undefined` while there is none. */
  node: string | undefined;
  /** Whether that master has confirmed it. */
  confirmed: boolean;
  /** Calls that wait for the confirmation. Without one, the channel was lost. */
  waiting: Array<{ resolve: () => void; reject: (error: Error) => void }>;
}

/** Internals of ioredis that its types leave out. */
interface ClusterInternals {
  refreshSlotsCache(callback: (error?: Error) => void): void;
}
interface NodeInternals {
  condition: { subscriber: false | { channels(kind: 'ssubscribe'): string[] } } | null;
}

/**
 * The Pub/Sub of a Cluster: one connection to each master that has a channel, for sharded messages. A channel whose slot moves or
 * whose master is replaced is reported as lost, and is subscribed to on the new master as soon as the Cluster names it.
 *
 * It does not use the sharded subscribers of ioredis, which do not tell which channels were lost and confirmed again.
 */
class ClusterSubscriber extends EventEmitter implements Subscriber {
  readonly isCluster = true;
  private readonly cluster: Cluster;
  private readonly nodes = new Map<string, Redis>();
  private readonly wanted = new Map<string, Wanted>();
  /** Channels that were lost and are not confirmed again. */
  private readonly lost = new Set<string>();
  private timer: NodeJS.Timeout | undefined;
  private readsLeft = 0;
  private settling = false;
  private closed = false;

  private readonly nodeOptions: Options;
  private readonly stopListening: () => void;

  constructor({ nodes = [], options }: Target, further: Options) {
    super();
    this.setMaxListeners(0);
    this.nodeOptions = nodeOptionsOf({ ...options, ...further });
    // Only reads the slots: its connections to the other nodes stay closed.
    this.cluster = new Cluster(nodes, clusterOptions(this.nodeOptions));
    this.cluster.on('error', () => {});
    this.cluster.on('refresh', () => {
      this.settle();
      if (this.readsLeft-- > 0) this.tryAgain();
    });
    // A master that is separated from the other nodes keeps the connection, and says nothing.
    this.stopListening = onTopology(() => {
      this.readsLeft = READS_AFTER_CHANGE - 1;
      this.lookAgain();
    });
    let isReady = false;
    this.cluster.on('ready', () => {
      if (!isReady) this.emit('ready');
      isReady = true;
    });
    countOutages(this, 'subscriber', { lost: 'away', back: 'back' });
  }

  get status(): string {
    return this.lost.size > 0 ? 'reconnecting' : this.cluster.status;
  }

  ssubscribe(channel: string): Promise<void> {
    let wanted = this.wanted.get(channel);
    if (!wanted) {
      wanted = { slot: slotOf(channel), node: undefined, confirmed: false, waiting: [] };
      this.wanted.set(channel, wanted);
    }
    if (wanted.confirmed) return Promise.resolve();
    const { waiting } = wanted;
    const confirmed = new Promise<void>((resolve, reject) => waiting.push({ resolve, reject }));
    if (wanted.node === undefined) this.place(channel, wanted);
    return confirmed;
  }

  async sunsubscribe(channel: string): Promise<void> {
    const wanted = this.wanted.get(channel);
    this.wanted.delete(channel);
    this.forgetLost(channel);
    for (const { reject } of wanted?.waiting ?? []) reject(new Error('Connection is closed.'));
    await this.nodes.get(wanted?.node ?? '')?.sunsubscribe(channel);
  }

  subscribe(channel: string): Promise<void> {
    return this.ssubscribe(channel);
  }

  unsubscribe(channel: string): Promise<void> {
    return this.sunsubscribe(channel);
  }

  async ping(): Promise<void> {
    await Promise.all(Array.from(this.nodes.values(), (node) => node.ping()));
  }

  disconnect(): void {
    this.closed = true;
    this.stopListening();
    clearTimeout(this.timer);
    this.cluster.disconnect();
    for (const node of this.nodes.values()) node.disconnect();
    this.emit('close');
  }

  /** Subscribes to a channel on the master of its slot. */
  private place(channel: string, wanted: Wanted): void {
    const name = masterOf(this.cluster, wanted.slot);
    if (name === undefined) return this.tryAgain();
    wanted.node = name;
    const node = this.nodes.get(name) ?? this.connect(name);
    const isCurrent = (): boolean =>
      this.wanted.get(channel) === wanted && wanted.node === name && this.nodes.get(name) === node;
    node.ssubscribe(channel).then(
      () => {
        if (!isCurrent()) return;
        wanted.confirmed = true;
        for (const { resolve } of wanted.waiting.splice(0)) resolve();
        if (this.forgetLost(channel)) this.emit('found', channel);
      },
      (error: Error) => {
        noteDenied(error, `SSUBSCRIBE at ${name}`);
        if (!isCurrent()) return;
        this.lose(channel, wanted);
        // The master is away, or is none any more. A missing permission is tried again with each regular read of the slots.
        if (!isDenied(error)) this.tryAgain();
      },
    );
  }

  private lose(channel: string, wanted: Wanted): void {
    wanted.node = undefined;
    if (!wanted.confirmed) return;
    wanted.confirmed = false;
    if (this.lost.size === 0) this.emit('away');
    this.lost.add(channel);
    this.emit('lost', channel);
  }

  private forgetLost(channel: string): boolean {
    const was = this.lost.delete(channel);
    if (was && this.lost.size === 0) this.emit('back');
    return was;
  }

  private connect(name: string): Redis {
    const colon = name.lastIndexOf(':');
    const address = { host: name.slice(0, colon), port: Number(name.slice(colon + 1)) };
    const node = new Redis({
      ...this.nodeOptions,
      ...address,
      retryStrategy: () => null,
      // Refused subscriptions are reported with the node.
      reconnectOnError: null,
    });
    this.nodes.set(name, node);
    node.on('error', () => {});
    countCommands(node, 'subscriber');
    watchLiveness(node, { listens: true });
    node.on('smessageBuffer', (channel: Buffer, message: Buffer) => {
      this.emit('smessageBuffer', channel, message);
      this.emit('messageBuffer', channel, message);
    });
    let looking = false;
    // A server unsubscribes from the channels of a slot that it has lost, each with a message of its own.
    node.on('moved', () => {
      if (looking) return;
      looking = true;
      setImmediate(() => {
        looking = false;
        this.dropLost(name, node);
      });
    });
    node.on('end', () => {
      if (this.nodes.get(name) === node) this.nodes.delete(name);
      for (const [channel, wanted] of this.wanted) {
        if (wanted.node === name) this.lose(channel, wanted);
      }
      this.tryAgain();
    });
    return node;
  }

  /** Finds the channels from which a server has unsubscribed. */
  private dropLost(name: string, node: Redis): void {
    const { condition } = node as unknown as NodeInternals;
    const held = new Set(condition?.subscriber ? condition.subscriber.channels('ssubscribe') : []);
    for (const [channel, wanted] of this.wanted) {
      if (wanted.node === name && wanted.confirmed && !held.has(channel)) this.lose(channel, wanted);
    }
    this.lookAgain();
  }

  /** Reads the slots, and subscribes on their masters. */
  private lookAgain(): void {
    if (this.closed) return;
    if (this.cluster.status !== 'ready') return this.tryAgain();
    const internals = this.cluster as unknown as ClusterInternals;
    internals.refreshSlotsCache((error) => {
      // The event `refresh` has led to `settle`.
      if (!error) return;
      // No node answers. They may come back under other addresses: begin with those of the settings.
      if (error.name === 'ClusterAllFailedError' && this.cluster.status === 'ready')
        this.cluster.disconnect(true);
      this.tryAgain();
    });
  }

  private tryAgain(): void {
    if (this.closed || this.timer) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.lookAgain();
    }, AGAIN_MS);
  }

  /** Subscribes to each channel on the master of its slot, and ends connections that no channel needs. */
  private settle(): void {
    if (this.closed || this.settling) return;
    this.settling = true;
    for (const [channel, wanted] of this.wanted) {
      const master = masterOf(this.cluster, wanted.slot);
      if (wanted.node !== undefined && wanted.node !== master) {
        this.nodes
          .get(wanted.node)
          ?.sunsubscribe(channel)
          .catch(() => {});
        this.lose(channel, wanted);
      }
      if (wanted.node === undefined) this.place(channel, wanted);
    }
    const masters = mastersOf(this.cluster);
    for (const [name, node] of this.nodes) if (!masters.has(name)) node.disconnect();
    this.settling = false;
  }
}

/** Opens the connections for the Pub/Sub of a Cluster. @param options further options for each of them */
export const connectClusterSubscriber = (target: Target, options: Options): Subscriber =>
  new ClusterSubscriber(target, options);
