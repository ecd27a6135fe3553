import { JOB_STATES, type JobState } from '../../../shared/jobs/states.js';

/** The states as the dashboard shows them: BullMQ has several for waiting jobs. */
export const STATE_GROUPS = {
  waiting: ['waiting', 'prioritized', 'waiting-children'],
  delayed: ['delayed'],
  active: ['active'],
  completed: ['completed'],
  failed: ['failed'],
  cancelled: ['cancelled'],
} as const satisfies Record<string, readonly JobState[]>;
export type StateGroup = keyof typeof STATE_GROUPS;

/** How far back jobs are listed, by when they were created, in ms. */
export const PERIODS = { hour: 3_600_000, day: 86_400_000, week: 7 * 86_400_000, month: 30 * 86_400_000 };
export type Period = keyof typeof PERIODS;

/** Which jobs the list shows; an empty text is no filter. */
export interface JobQuery {
  state: StateGroup | '';
  name: string;
  tag: string;
  /** As in `GET /v1/jobs`: `me`, `user:ada`. */
  owner: string;
  period: Period | '';
}

const isKeyOf = <T extends object>(all: T, key: string): key is keyof T & string => Object.hasOwn(all, key);

/** Reads the query of the page's address. Anything invalid is no filter. */
export function parseQuery(search: string): JobQuery {
  const given = new URLSearchParams(search);
  const text = (key: string): string => given.get(key) ?? '';
  const [state, period] = [text('state'), text('period')];
  return {
    state: isKeyOf(STATE_GROUPS, state) ? state : '',
    name: text('name'),
    tag: text('tag'),
    owner: text('owner'),
    period: isKeyOf(PERIODS, period) ? period : '',
  };
}

/** Returns the address of the list, relative to the service. */
export function listAddress(query: Partial<JobQuery>): string {
  const params = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== ''));
  return `dashboard/jobs${params.size > 0 ? `?${params}` : ''}`;
}

/** What can be done with many jobs, and the states of those that it concerns. */
export const BULK_ACTIONS = {
  retry: ['failed', 'cancelled'],
  cancel: ['waiting', 'prioritized', 'waiting-children', 'delayed', 'active'],
} as const satisfies Record<string, readonly JobState[]>;
export type BulkAction = keyof typeof BULK_ACTIONS;

/**
 * Returns the path of a page of jobs; `undefined` if no job can match.
 * @param now ms since 1970
 * @param only lists only jobs in these states
 */
export function listPath(
  query: JobQuery,
  now: number,
  {
    only = JOB_STATES,
    limit,
    cursor,
  }: { only?: readonly JobState[]; limit: number; cursor?: string | undefined },
): string | undefined {
  const asked: readonly JobState[] = query.state ? STATE_GROUPS[query.state] : JOB_STATES;
  const states = asked.filter((state) => only.includes(state));
  if (states.length === 0) return undefined;
  const params = new URLSearchParams({ limit: String(limit) });
  if (states.length < JOB_STATES.length) for (const state of states) params.append('state', state);
  for (const key of ['name', 'tag', 'owner'] as const) if (query[key]) params.set(key, query[key]);
  if (query.period) params.set('from', String(now - PERIODS[query.period]));
  if (cursor) params.set('cursor', cursor);
  return `v1/jobs?${params}`;
}
