import {
  createContext,
  createElement,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useMemo,
  useRef,
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
import { createTimedJobStore, type TimedJobStore, type Waits } from '../timed-job.js';
import type { JobEvent, NoEvents } from '../types.js';
import type { WatchedChannel, WatchedJob } from '../view.js';

interface Provided {
  client?: AnyClient | undefined;
  labels?: Partial<Labels> | undefined;
}

const ProvidedContext = createContext<Provided>({});

export interface HeadwayProviderProps {
  /** The client of the hooks. Without one, they use the service that served the page. */
  client?: AnyClient | undefined;
  /** The words of `<JobProgress>`, such as those of `headway-client/labels/de`. English words replace missing ones. */
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

/** Options of {@link useJob}. */
export interface UseJobOptions<R = unknown, E = NoEvents> {
  /** The job's token, if nothing else grants access. */
  token?: string | undefined;
  /** Called for every event of the job, past and new, in order. The function of the newest render is called. */
  onEvent?: ((event: JobEvent<R, E>) => void) | undefined;
}

/** Returns the store of a job, the same one while the job is the same. */
function useStoreOf<S>(
  job: JobReference<unknown, unknown> | null | undefined,
  { token }: { token?: string | undefined },
  create: (client: AnyClient, reference: string | undefined, token?: string) => S,
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
 * Watches a job while the component is mounted. Renders again when the job changes, once for all events of one tick. The
 * result of `startJob` has the types of the job's result and custom events; `useJob<Result>(id)` states them for an id.
 * @param job the job's id, a link to it, or the result of `startJob`; `undefined` or `null` if there is none yet
 */
export function useJob<R = unknown, E = NoEvents>(
  job: JobReference<R, E> | null | undefined,
  { token, onEvent }: UseJobOptions<R, E> = {},
): UsedJob<R> {
  const newest = useRef(onEvent);
  useEffect(() => {
    newest.current = onEvent;
  });
  const create = useCallback(
    (client: AnyClient, reference: string | undefined, opener?: string) =>
      createJobStore<R, E>(client, reference, opener, (event) => newest.current?.(event)),
    [],
  );
  return useNow(useStoreOf(job, { token }, create));
}

/** Like {@link useJob}, and also returns what depends on the clock: see {@link TimedJobStore.timing}. */
export function useTimedJob<R = unknown, E = NoEvents>(
  job: JobReference<R, E> | null | undefined,
  options: { token?: string | undefined } = {},
): { now: UsedJob<R>; timing: Waits } {
  const store: TimedJobStore<R> = useStoreOf(job, options, createTimedJobStore<R>);
  return {
    now: useNow(store),
    timing: useSyncExternalStore(store.subscribe, store.timing, store.timing),
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
