import { type MinuteView, minuteView } from '../../shared/dashboard/minutes.js';
import type { ProcessView, QueueState, RedisState } from '../../shared/dashboard/views.js';
import type { FailedFilter } from './failed-jobs.js';
import type { LiveJob, LiveJobs } from './live-jobs.js';
import type { DashboardQuery } from './query.js';
import type { Scope } from './scope.js';

/** What is the same for all viewers. */
export interface SharedState {
  /** Whether Redis answers, so that what is shown is of now. */
  live: boolean;
  processes: ProcessView[];
  queues: QueueState[];
  redis: RedisState | null;
  /** Grows when `live` or `queues` change, and with each look at the rest. */
  versions: { all: number; admin: number };
}

/** Names a list of failed jobs. */
export const failedKey = ({ name, q }: FailedFilter): string => JSON.stringify([name, q]);

/**
 * The parts of what a viewer sees, but for the minutes. Each is replaced as a whole when it changes.
 * @param active all active jobs of the scope, in the order that is asked for
 */
export function sectionsOf(
  shared: SharedState,
  scope: Scope,
  active: LiveJob[],
  query: DashboardQuery,
  admin: boolean,
): Record<string, unknown> {
  const { live, processes, queues, redis } = shared;
  const fitting = active.filter((job) => fits(job, query));
  return {
    live,
    states: scope.counts.states,
    names: scope.counts.names,
    active: {
      total: fitting.length,
      from: query.from,
      jobs: fitting.slice(query.from, query.from + query.rows).map(({ owner: _owner, ...job }) => job),
    },
    failed: scope.failed.get(failedKey(query))?.jobs ?? [],
    queues,
    ...(admin
      ? { processes, redis, viewers: processes.reduce((sum, { viewers = 0 }) => sum + viewers, 0) }
      : {}),
  };
}

function fits(job: LiveJob, { name, q, process }: DashboardQuery): boolean {
  if (name.length > 0 && !name.includes(job.name)) return false;
  if (process && job.process !== process) return false;
  return !q || [job.id, job.name, job.stage, job.message].some((text) => text?.toLowerCase().includes(q));
}

/** The active jobs of scopes in order; made again only when something has changed. */
export class ActiveLists {
  private readonly known = new Map<string, { versions: string; jobs: LiveJob[] }>();

  constructor(private readonly live: LiveJobs) {}

  of(scope: Scope, sort: DashboardQuery['sort']): LiveJob[] {
    const key = `${sort} ${scope.owner ?? ''}`;
    const versions = `${this.live.version} ${scope.version}`;
    const found = this.known.get(key);
    if (found?.versions === versions) return found.jobs;
    // For good: one that its worker has told of ends when the worker says so.
    scope.others = scope.others.filter(({ id }) => !this.live.has(id));
    const jobs = [...this.live.of(scope.owner), ...scope.others];
    jobs.sort((a, b) => a.startedAt - b.startedAt || (a.id < b.id ? -1 : 1));
    if (sort === 'newest') jobs.reverse();
    this.known.set(key, { versions, jobs });
    return jobs;
  }

  /** Forgets those of a scope that nobody looks at any more. */
  forget(scope: Scope): void {
    for (const sort of ['oldest', 'newest']) this.known.delete(`${sort} ${scope.owner ?? ''}`);
  }
}

const views = new WeakMap<Record<string, string>, Map<string, MinuteView>>();

/** The minutes of a scope as the charts show them. What a minute comes to is worked out once for each choice of kinds. */
export function minutesOf(scope: Scope, names: string[]): MinuteView[] {
  const key = JSON.stringify(names);
  return Array.from(scope.minutes, ([minute, counted]) => {
    const made = views.get(counted) ?? new Map<string, MinuteView>();
    const view = made.get(key) ?? minuteView(minute, counted, names);
    views.set(counted, made.set(key, view));
    return view;
  });
}
