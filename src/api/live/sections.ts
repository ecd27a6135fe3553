import { type MinuteView, minuteView } from '../../shared/dashboard/minutes.js';
import type { FiringAlert, ProcessView, QueueState, RedisState } from '../../shared/dashboard/views.js';
import type { FailedFilter } from './failed-jobs.js';
import type { LiveJob, LiveJobs } from './live-jobs.js';
import type { OwnerView } from './owner-view.js';
import type { DashboardQuery } from './query.js';

/** What all viewers of the dashboard share. */
export interface SharedState {
  /** Whether Redis answers, so that the state is current. */
  live: boolean;
  processes: ProcessView[];
  queues: QueueState[];
  redis: RedisState | null;
  alerts: FiringAlert[];
  /** `all` grows when `live` or `queues` change; `admin` grows with each read of the rest. */
  versions: { all: number; admin: number };
}

/** The key of a list of failed jobs. */
export const failedKey = ({ name, q }: FailedFilter): string => JSON.stringify([name, q]);

/**
 * The sections of a dashboard, except the minutes. A section that has changed is sent as a whole.
 * @param active all active jobs of the view, in the requested order
 */
export function sectionsOf(
  shared: SharedState,
  view: OwnerView,
  active: LiveJob[],
  query: DashboardQuery,
  admin: boolean,
): Record<string, unknown> {
  const { live, processes, queues, redis, alerts } = shared;
  const matching = active.filter((job) => matches(job, query));
  return {
    live,
    states: view.counts.states,
    names: view.counts.names,
    active: {
      total: matching.length,
      from: query.from,
      jobs: matching.slice(query.from, query.from + query.rows).map(({ owner: _owner, ...job }) => job),
    },
    failed: view.failed.get(failedKey(query))?.jobs ?? [],
    queues,
    ...(admin
      ? { alerts, processes, redis, viewers: processes.reduce((sum, { viewers = 0 }) => sum + viewers, 0) }
      : {}),
  };
}

function matches(job: LiveJob, { name, q, process }: DashboardQuery): boolean {
  if (name.length > 0 && !name.includes(job.name)) return false;
  if (process && job.process !== process) return false;
  return (
    !q ||
    [job.id, job.name, job.title, job.stage, job.message].some((text) => text?.toLowerCase().includes(q))
  );
}

/** The sorted active jobs of each view. A list is made again only when something has changed. */
export class ActiveLists {
  private readonly lists = new Map<string, { versions: string; jobs: LiveJob[] }>();

  constructor(private readonly live: LiveJobs) {}

  /** The active jobs of a view. */
  of(view: OwnerView, sort: DashboardQuery['sort']): LiveJob[] {
    const key = `${sort} ${view.owner ?? ''}`;
    const versions = `${this.live.version} ${view.version}`;
    const list = this.lists.get(key);
    if (list?.versions === versions) return list.jobs;
    // Removed for good: the reports of the worker also say when the job ends.
    view.unreported = view.unreported.filter(({ id }) => !this.live.has(id));
    const jobs = [...this.live.of(view.owner), ...view.unreported];
    jobs.sort((a, b) => a.startedAt - b.startedAt || (a.id < b.id ? -1 : 1));
    if (sort === 'newest') jobs.reverse();
    this.lists.set(key, { versions, jobs });
    return jobs;
  }

  /** Drops the lists of a view that has no more viewers. */
  forget(view: OwnerView): void {
    for (const sort of ['oldest', 'newest']) this.lists.delete(`${sort} ${view.owner ?? ''}`);
  }
}

const minuteViews = new WeakMap<Record<string, string>, Map<string, MinuteView>>();

/** The minutes of a view as the charts show them. Each minute is computed once for each choice of kinds. */
export function minutesOf(view: OwnerView, names: string[]): MinuteView[] {
  const key = JSON.stringify(names);
  return Array.from(view.minutes, ([minute, counters]) => {
    const computed = minuteViews.get(counters) ?? new Map<string, MinuteView>();
    const shown = computed.get(key) ?? minuteView(minute, counters, names);
    minuteViews.set(counters, computed.set(key, shown));
    return shown;
  });
}
