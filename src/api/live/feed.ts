import type { AlertState } from '../../shared/alerts/alert.js';
import { readAlerts } from '../../shared/alerts/alerts.js';
import type { WorkerCensus } from '../../shared/bullmq/worker-census.js';
import type { ChannelHub } from '../../shared/channel/hub.js';
import type { Sink, Subscription } from '../../shared/channel/subscription.js';
import {
  CHANGED_EVENT,
  type ChangedFrame,
  JOBS_EVENT,
  type JobsFrame,
} from '../../shared/dashboard/frame.js';
import { DASHBOARD_CHANNEL } from '../../shared/dashboard/keys.js';
import { createProcessPresence } from '../../shared/dashboard/presence.js';
import type { ProcessView } from '../../shared/dashboard/views.js';
import type { QueuePlan } from '../../shared/jobs/queues.js';
import { every, type Repeated } from '../../shared/process/every.js';
import type { Logger } from '../../shared/process/log.js';
import { allNodes } from '../../shared/redis/client.js';
import { type LiveJob, LiveJobs } from './live-jobs.js';
import { OwnerView, type OwnerViewReaders } from './owner-view.js';
import { ActiveLists, type SharedState } from './sections.js';

/** How often the processes, queues and Redis' figures are read, and the shortest time between two reads of a view. */
const READ_MS = 1000;
/** How long workers keep reporting after the dashboard was last shown, in ms. */
const WATCHED_MS = 5000;
/** How long after Redis' last answer the state counts as old, in ms. */
const STALE_MS = 3000;
/** How often a view is read even if no change was reported, in ms: the view of all jobs, and that of one owner. */
const REREAD_MS = { all: 5000, own: 30_000 };
/** Maximum number of alerts on a dashboard. */
const MAX_ALERTS = 20;
/** Maximum number of views that one refresh reads. */
const VIEWS_AT_ONCE = 20;

export interface DashboardFeedOptions extends Omit<OwnerViewReaders, 'live'> {
  plan: QueuePlan;
  census: WorkerCensus;
  /** The hub of internal channels. */
  hub: ChannelHub;
  /** Describes this process. */
  self: () => ProcessView;
  redisVersion: string;
  log: Logger;
}

/** What the dashboards and overviews of this process show. While none is open, the feed does nothing. */
export class DashboardFeed {
  readonly shared: SharedState = {
    live: false,
    processes: [],
    queues: [],
    redis: null,
    alerts: [],
    versions: { all: 0, admin: 0 },
  };
  readonly active: ActiveLists;
  private readonly live = new LiveJobs();
  private readonly views = new Map<string | undefined, { view: OwnerView; viewers: number }>();
  private readonly presence;
  private subscription: Subscription | undefined;
  private reads: Repeated | undefined;
  private firstRead: Promise<void> | undefined;
  private answeredAt = Number.NEGATIVE_INFINITY;
  private redisAway = false;

  constructor(private readonly options: DashboardFeedOptions) {
    this.active = new ActiveLists(this.live);
    this.presence = createProcessPresence(options.redis, options.keyspace);
    options.redis.on('ready', () => this.markAllChanged());
  }

  /**
   * Adds a viewer of an owner's jobs.
   * @param owner `undefined` for the jobs of all owners
   */
  open(owner: string | undefined): OwnerView {
    let opened = this.views.get(owner);
    if (!opened) {
      opened = { view: new OwnerView(owner, { ...this.options, live: this.live }), viewers: 0 };
      this.views.set(owner, opened);
    }
    opened.viewers++;
    if (!this.reads) this.start();
    return opened.view;
  }

  /** Removes a viewer. */
  close(view: OwnerView): void {
    const opened = this.views.get(view.owner);
    if (!opened || --opened.viewers > 0) return;
    this.views.delete(view.owner);
    this.active.forget(view);
    if (this.views.size === 0) this.stop();
  }

  /** The running jobs of a view, as last reported. */
  *running(view: OwnerView): Generator<LiveJob> {
    yield* this.live.of(view.owner);
    yield* view.unreported;
  }

  /** Changes whenever something that a viewer of this view sees may have changed. */
  versionKey(view: OwnerView, admin: boolean): string {
    const { versions } = this.shared;
    return `${this.live.version} ${view.version} ${versions.all} ${admin ? versions.admin : ''}`;
  }

  /** Reads the views that are out of date. Called twice a second. */
  refresh(): void {
    const now = performance.now();
    this.updateLive(now);
    let begun = 0;
    for (const { view } of this.views.values()) {
      const age = now - view.readAt;
      const rereadMs = view.owner === undefined ? REREAD_MS.all : REREAD_MS.own;
      if (age > rereadMs || now > view.rereadAt) {
        view.outdated = true;
        view.rereadAt = Number.POSITIVE_INFINITY;
      }
      if (!view.outdated || age < READ_MS || begun >= VIEWS_AT_ONCE) continue;
      begun++;
      void this.read(view);
    }
  }

  /** Reads a view now. Waits until the state that all views share has been read once. */
  async read(view: OwnerView): Promise<void> {
    await this.firstRead;
    await view
      .read()
      .catch((error) => this.options.log.debug({ err: error }, 'could not read the jobs of a dashboard'));
  }

  /** Whether Redis does not answer: what viewers see may be old. */
  get isAway(): boolean {
    return this.redisAway;
  }

  /** Sets whether Redis answers. The check of the connections notices an outage before a read fails. */
  setRedisAway(away: boolean): void {
    this.redisAway = away;
    if (this.reads) this.updateLive(performance.now());
  }

  private start(): void {
    this.reads = every(
      READ_MS,
      () => this.readShared(),
      (error) => this.options.log.debug({ err: error }, 'could not read the processes of a dashboard'),
    );
    this.firstRead = this.reads.run();
    const sink: Sink = { write: (frame) => this.receive(frame), end: () => {} };
    this.subscription = this.options.hub.subscribe(DASHBOARD_CHANNEL, sink);
  }

  private stop(): void {
    void this.reads?.stop();
    this.reads = undefined;
    this.subscription?.close();
    this.live.keep(new Set());
  }

  private markAllChanged(): void {
    for (const { view } of this.views.values()) view.markChanged();
  }

  /** Reads what all viewers share. */
  private async readShared(): Promise<void> {
    const { self, redis, keyspace, plan, census, redisVersion } = this.options;
    const isPaused = async (queue: string): Promise<boolean> =>
      (await redis.hexists(keyspace.queueKey(queue, 'meta'), 'paused')) === 1;
    const inAnyShard = async (queue: string, holds: (queue: string) => Promise<boolean>): Promise<boolean> =>
      (await Promise.all(keyspace.shards.of(queue).map(holds))).includes(true);
    const nodes = allNodes(redis);
    const [processes, paused, unserved, infos, alerts] = await Promise.all([
      this.presence.watch(self(), WATCHED_MS),
      Promise.all(plan.names.map((queue) => inAnyShard(queue, isPaused))),
      Promise.all(plan.names.map((queue) => inAnyShard(queue, async (it) => !(await census.serves(it))))),
      Promise.all(nodes.map((node) => node.info('memory', 'clients').catch(() => node.info()))),
      // Another tool may have replaced the key. The other reads notice an outage.
      readAlerts(redis, keyspace).catch(() => new Map<string, AlertState>()),
    ]);
    this.shared.processes = processes.sort((a, b) => a.startedAt - b.startedAt || (a.id < b.id ? -1 : 1));
    this.live.keep(new Set(processes.map(({ id }) => id)));
    const queues = plan.names.map((name, i) => ({
      name,
      jobs: plan.kindsIn(name).map((kind) => kind.name),
      paused: paused[i] === true,
      noWorker: unserved[i] === true,
    }));
    // Stays the same array until something changes: overviews compare it.
    if (JSON.stringify(queues) !== JSON.stringify(this.shared.queues)) {
      this.shared.versions.all++;
      this.shared.queues = queues;
    }
    this.shared.versions.admin++;
    this.shared.redis = {
      version: redisVersion,
      usedBytes: sumIn(infos, 'used_memory'),
      peakBytes: sumIn(infos, 'used_memory_peak'),
      maxBytes: sumIn(infos, 'maxmemory'),
      clients: sumIn(infos, 'connected_clients'),
    };
    this.shared.alerts = [...alerts.values()]
      .filter(({ firing }) => firing)
      .sort((a, b) => a.since - b.since || (a.key < b.key ? -1 : 1))
      .slice(0, MAX_ALERTS)
      .map(({ kind, text, since }) => ({ kind, text, since }));
    this.answeredAt = performance.now();
    this.updateLive(this.answeredAt);
  }

  private updateLive(now: number): void {
    const live = !this.redisAway && now - this.answeredAt < STALE_MS;
    if (live !== this.shared.live) this.shared.versions.all++;
    this.shared.live = live;
  }

  private receive(frame: Buffer): boolean {
    const text = frame.toString();
    const event = /^event: (.*)$/m.exec(text)?.[1];
    const data = text.slice(text.indexOf('\ndata: ') + 7, -2);
    if (event === JOBS_EVENT) this.live.put(JSON.parse(data) as JobsFrame);
    else if (event === CHANGED_EVENT) this.markChanged(JSON.parse(data) as ChangedFrame);
    else if (event === 'reset') this.markAllChanged();
    return true;
  }

  private markChanged({ owners, all }: ChangedFrame): void {
    if (all) return this.markAllChanged();
    for (const owner of [undefined, ...owners]) {
      this.views.get(owner)?.view.markChanged();
    }
  }
}

/** Sums a number over the answers of all servers. */
const sumIn = (infos: readonly string[], field: string): number =>
  infos.reduce((sum, info) => sum + numberIn(info, field), 0);

const numberIn = (info: string, field: string): number =>
  Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);
