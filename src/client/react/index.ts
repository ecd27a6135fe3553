/** Headway for React 18 and newer: hooks for live jobs and channels. */
import {
  createContext,
  createElement,
  type ReactNode,
  useContext,
  useMemo,
  useSyncExternalStore,
} from 'react';
import type { JobReference } from '../client.js';
import {
  type AnyClient,
  type ChannelStoreOptions,
  createChannelStore,
  createJobStore,
  defaultClient,
  type JobStore,
} from '../store.js';
import type { WatchedChannel, WatchedJob } from '../view.js';

export type { WatchedChannel, WatchedJob } from '../view.js';

const ClientContext = createContext<AnyClient | undefined>(undefined);

/** Provides a client to the hooks below it. Without a provider, they use the service that served the page. */
export function HeadwayProvider({ client, children }: { client: AnyClient; children?: ReactNode }) {
  return createElement(ClientContext.Provider, { value: client }, children);
}

/** Returns the client of the nearest {@link HeadwayProvider}. */
export const useHeadway = (): AnyClient => useContext(ClientContext) ?? defaultClient();

/** A job as of this render, with functions to cancel and retry it. */
export type UsedJob<R = unknown> = WatchedJob<R> & Pick<JobStore<R>, 'cancel' | 'retry'>;

/**
 * Watches a job while the component is mounted. Renders again when the job changes, once for all events of one tick.
 * @param job the job's id, a link to it, or the result of `startJob`; `undefined` or `null` if there is none yet
 * @param options.token the job's token, if nothing else grants access
 */
export function useJob<R = unknown>(
  job: JobReference | null | undefined,
  { token }: { token?: string | undefined } = {},
): UsedJob<R> {
  const client = useHeadway();
  const link = typeof job === 'string' ? job : job?.id;
  const opener = token ?? (typeof job === 'string' ? undefined : job?.token);
  const store = useMemo(() => createJobStore<R>(client, link, opener), [client, link, opener]);
  const now = useSyncExternalStore(store.subscribe, store.get, store.get);
  return useMemo(() => ({ ...now, cancel: store.cancel, retry: store.retry }), [now, store]);
}

/** Watches channels while the component is mounted. @param channels one name or several */
export function useChannel<T = unknown>(
  channels: string | string[],
  { last, keep }: ChannelStoreOptions = {},
): WatchedChannel<T> {
  const client = useHeadway();
  const names = JSON.stringify([channels].flat());
  const store = useMemo(
    () => createChannelStore<T>(client, JSON.parse(names), { last, keep }),
    [client, names, last, keep],
  );
  return useSyncExternalStore(store.subscribe, store.get, store.get);
}
