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
import { type QueuePlan, queueKey } from '../../shared/jobs/queues.js';
import type { Logger } from '../../shared/process/log.js';
import { type LiveJob, LiveJobs } from './live-jobs.js';
import { Scope, type ScopeReaders } from './scope.js';
import { ActiveLists, type SharedState } from './sections.js';

const LOOK_MS = 1000;
/** Workers go on telling what they do for this long after the last look. */
const WATCHED_MS = 5000;
/** Without an answer of Redis for this long, what is shown counts as old. */
const STALE_MS = 3000;
/** However little was heard, everybody's jobs are looked at again after this long, and one owner's after that. */
const RECHECK_MS = { all: 5000, own: 30_000 };
/** So many looks at scopes are begun in one round. */
const SCOPES_AT_ONCE = 20;

export interface DashboardFeedOptions extends Omit<ScopeReaders, 'live'> {
  queuePrefix: string;
  plan: QueuePlan;
  census: WorkerCensus;
  /** Of internal channels. */
  hub: ChannelHub;
  /** How this process is. */
  self: () => ProcessView;
  redisVersion: string;
  log: Logger;
}

/** What the dashboards of this process show. While nobody looks it does nothing. */
export class DashboardFeed {
  readonly shared: SharedState = {
    live: false,
    processes: [],
    queues: [],
    redis: null,
    versions: { all: 0, admin: 0 },
  };
  readonly active: ActiveLists;
  private readonly live = new LiveJobs();
  private readonly scopes = new Map<string | undefined, { scope: Scope; viewers: number }>();
  private readonly presence;
  private subscription: Subscription | undefined;
  private timer: NodeJS.Timeout | undefined;
  private looking = false;
  private firstLook: Promise<void> | undefined;
  private answeredAt = Number.NEGATIVE_INFINITY;
  private redisAway = false;

  constructor(private readonly options: DashboardFeedOptions) {
    this.active = new ActiveLists(this.live);
    this.presence = createProcessPresence(options.redis, options.prefix);
    options.redis.on('ready', () => this.touch());
  }

  /** A viewer of an owner's jobs comes (`undefined`: of everybody's). */
  open(owner: string | undefined): Scope {
    let opened = this.scopes.get(owner);
    if (!opened) {
      opened = { scope: new Scope(owner, { ...this.options, live: this.live }), viewers: 0 };
      this.scopes.set(owner, opened);
    }
    opened.viewers++;
    if (!this.timer) this.start();
    return opened.scope;
  }

  /** One goes. */
  close(scope: Scope): void {
    const opened = this.scopes.get(scope.owner);
    if (!opened || --opened.viewers > 0) return;
    this.scopes.delete(scope.owner);
    this.active.forget(scope);
    if (this.scopes.size === 0) this.stop();
  }

  /** The jobs of a scope that run, as was last heard of each. */
  *running(scope: Scope): Generator<LiveJob> {
    yield* this.live.of(scope.owner);
    yield* scope.others;
  }

  /** Is another one when what a viewer of a scope sees may be. */
  stamp(scope: Scope, admin: boolean): string {
    const { versions } = this.shared;
    return `${this.live.version} ${scope.version} ${versions.all} ${admin ? versions.admin : ''}`;
  }

  /** Looks at what has changed; called often. */
  refresh(): void {
    const now = performance.now();
    this.noteLive(now);
    let begun = 0;
    for (const { scope } of this.scopes.values()) {
      const age = now - scope.lookedAt;
      const recheckMs = scope.owner === undefined ? RECHECK_MS.all : RECHECK_MS.own;
      if (age > recheckMs || now > scope.againAt) {
        scope.dirty = true;
        scope.againAt = Number.POSITIVE_INFINITY;
      }
      if (!scope.dirty || age < LOOK_MS || begun >= SCOPES_AT_ONCE) continue;
      begun++;
      this.lookAt(scope);
    }
  }

  /** Looks at a scope now, and at what is the same for all if that was never looked at. */
  async lookAt(scope: Scope): Promise<void> {
    await this.firstLook;
    await scope.look().catch((error) => this.options.log.debug({ err: error }, 'could not look at the jobs'));
  }

  private start(): void {
    this.timer = setInterval(() => void this.look(), LOOK_MS);
    this.firstLook = this.look();
    const sink: Sink = { write: (frame) => this.take(frame), end: () => {} };
    this.subscription = this.options.hub.subscribe(DASHBOARD_CHANNEL, sink);
  }

  private stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.subscription?.close();
    this.live.keep(new Set());
  }

  private touch(): void {
    for (const { scope } of this.scopes.values()) scope.touch();
  }

  private async look(): Promise<void> {
    if (this.looking) return;
    this.looking = true;
    const { self, redis, queuePrefix, plan, census, redisVersion, log } = this.options;
    try {
      const [processes, paused, served, info] = await Promise.all([
        this.presence.watch(self(), WATCHED_MS),
        Promise.all(plan.names.map((queue) => redis.hexists(queueKey(queuePrefix, queue, 'meta'), 'paused'))),
        Promise.all(plan.names.map((queue) => census.serves(queue))),
        redis.info('memory', 'clients').catch(() => redis.info()),
      ]);
      this.shared.processes = processes.sort((a, b) => a.startedAt - b.startedAt || (a.id < b.id ? -1 : 1));
      this.live.keep(new Set(processes.map(({ id }) => id)));
      const queues = plan.names.map((name, i) => ({
        name,
        jobs: plan.kindsIn(name).map((kind) => kind.name),
        paused: paused[i] === 1,
        noWorker: !served[i],
      }));
      // The same list for as long as nothing changes: viewers compare it.
      if (JSON.stringify(queues) !== JSON.stringify(this.shared.queues)) {
        this.shared.versions.all++;
        this.shared.queues = queues;
      }
      this.shared.versions.admin++;
      this.shared.redis = {
        version: redisVersion,
        usedBytes: numberIn(info, 'used_memory'),
        peakBytes: numberIn(info, 'used_memory_peak'),
        maxBytes: numberIn(info, 'maxmemory'),
        clients: numberIn(info, 'connected_clients'),
      };
      this.answeredAt = performance.now();
      this.noteLive(this.answeredAt);
    } catch (error) {
      log.debug({ err: error }, 'could not look at the processes');
    } finally {
      this.looking = false;
    }
  }

  /** Notes whether Redis answers, which is known sooner than the next look says. */
  noteRedis(away: boolean): void {
    this.redisAway = away;
    if (this.timer) this.noteLive(performance.now());
  }

  private noteLive(now: number): void {
    const live = !this.redisAway && now - this.answeredAt < STALE_MS;
    if (live !== this.shared.live) this.shared.versions.all++;
    this.shared.live = live;
  }

  private take(frame: Buffer): boolean {
    const text = frame.toString();
    const event = /^event: (.*)$/m.exec(text)?.[1];
    const data = text.slice(text.indexOf('\ndata: ') + 7, -2);
    if (event === JOBS_EVENT) this.live.put(JSON.parse(data) as JobsFrame);
    else if (event === CHANGED_EVENT) this.changed(JSON.parse(data) as ChangedFrame);
    else if (event === 'reset') this.touch();
    return true;
  }

  private changed({ owners, all }: ChangedFrame): void {
    if (all) return this.touch();
    for (const owner of [undefined, ...owners]) {
      this.scopes.get(owner)?.scope.touch();
    }
  }
}

const numberIn = (info: string, field: string): number =>
  Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);
