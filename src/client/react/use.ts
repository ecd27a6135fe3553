import {
  createContext,
  createElement,
  type ReactNode,
  useContext,
  useMemo,
  useSyncExternalStore,
} from 'react';
import type { Client, JobReference } from '../client.js';
import type { JobMap, Jobs } from '../jobs.js';
import { completeLabels } from '../labels/message.js';
import type { Labels } from '../labels/types.js';
import {
  type AnyClient,
  type ChannelStoreOptions,
  createChannelStore,
  createJobStore,
  defaultClient,
  type JobStore,
} from '../store.js';
import { createTimedJobStore, type TimedJobStore } from '../timed-job.js';
import type { WatchedChannel, WatchedJob } from '../view.js';

interface Provided {
  client?: AnyClient | undefined;
  labels?: Partial<Labels> | undefined;
}

const ProvidedContext = createContext<Provided>({});

export interface HeadwayProviderProps {
  /** The client of the hooks. Without one, they use the service that served the page. */
  client?: AnyClient | undefined;
  /** The words of `<JobProgress>`, such as those of `headway/labels/de`. English words replace missing ones. */
  labels?: Partial<Labels> | undefined;
  children?: ReactNode;
}

/** Provides a client and words to everything below it. What is not given comes from the provider above. */
export function HeadwayProvider({ client, labels, children }: HeadwayProviderProps) {
  const above = useContext(ProvidedContext);
  const value = useMemo(
    () => ({ client: client ?? above.client, labels: labels ?? above.labels }),
    [client, labels, above],
  );
  return createElement(ProvidedContext.Provider, { value }, children);
}

/** Returns complete words: the given ones, or those of the nearest {@link HeadwayProvider}. */
export function useLabels(given: Partial<Labels> | undefined): Labels {
  const provided = useContext(ProvidedContext).labels;
  const labels = given ?? provided;
  return useMemo(() => completeLabels(labels), [labels]);
}

/**
 * Returns the client of the nearest {@link HeadwayProvider}. `useHeadway<typeof jobs>()`, with job definitions or job types by
 * name, types it as `createClient` does.
 */
export const useHeadway = <J extends Jobs = JobMap>(): Client<J> =>
  (useContext(ProvidedContext).client ?? defaultClient()) as Client<J>;

/** A job as of this render, with functions to cancel and retry it. */
export type UsedJob<R = unknown> = WatchedJob<R> & Pick<JobStore<R>, 'cancel' | 'retry'>;

interface UseJobOptions {
  /** The job's token, if nothing else grants access. */
  token?: string | undefined;
}

/** Returns the store of a job, the same one while the job is the same. */
function useStoreOf<S>(
  job: JobReference | null | undefined,
  { token }: UseJobOptions,
  create: (client: AnyClient, reference: JobReference | undefined, token?: string) => S,
): S {
  const client: AnyClient = useHeadway();
  const link = typeof job === 'string' ? job : job?.id;
  const opener = token ?? (typeof job === 'string' ? undefined : job?.token);
  return useMemo(() => create(client, link, opener), [client, link, opener, create]);
}

/** Returns the present value of a store of a job. */
function useNow<R>(store: JobStore<R>): UsedJob<R> {
  const now = useSyncExternalStore(store.subscribe, store.get, store.get);
  return useMemo(() => ({ ...now, cancel: store.cancel, retry: store.retry }), [now, store]);
}

/**
 * Watches a job while the component is mounted. Renders again when the job changes, once for all events of one tick.
 * @param job the job's id, a link to it, or the result of `startJob`; `undefined` or `null` if there is none yet
 * @param options.token the job's token, if nothing else grants access
 */
export const useJob = <R = unknown>(
  job: JobReference | null | undefined,
  options: UseJobOptions = {},
): UsedJob<R> => useNow(useStoreOf(job, options, createJobStore<R>));

const notStalled = (): undefined => undefined;

/** Like {@link useJob}, and also returns how long the job has made no progress. */
export function useTimedJob<R = unknown>(
  job: JobReference | null | undefined,
  options: UseJobOptions = {},
): { now: UsedJob<R>; stalledMs: number | undefined } {
  const store: TimedJobStore<R> = useStoreOf(job, options, createTimedJobStore<R>);
  return {
    now: useNow(store),
    stalledMs: useSyncExternalStore(store.subscribe, store.stalledMs, notStalled),
  };
}

/** Watches channels while the component is mounted. @param channels one name or several */
export function useChannel<T = unknown>(
  channels: string | string[],
  { last, keep }: ChannelStoreOptions = {},
): WatchedChannel<T> {
  const client: AnyClient = useHeadway();
  const names = JSON.stringify([channels].flat());
  const store = useMemo(
    () => createChannelStore<T>(client, JSON.parse(names), { last, keep }),
    [client, names, last, keep],
  );
  return useSyncExternalStore(store.subscribe, store.get, store.get);
}
