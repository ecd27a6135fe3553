/** Headway for React 18 and newer: live jobs and channels as hooks. */
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

/** Gives a client to the hooks below it. Without one they watch the service that the page comes from. */
export function HeadwayProvider({ client, children }: { client: AnyClient; children?: ReactNode }) {
  return createElement(ClientContext.Provider, { value: client }, children);
}

/** The client of the nearest {@link HeadwayProvider}. */
export const useHeadway = (): AnyClient => useContext(ClientContext) ?? defaultClient();

/** A job as it is at this render, and what can be done to it. */
export type UsedJob<R = unknown> = WatchedJob<R> & Pick<JobStore<R>, 'cancel' | 'retry'>;

/**
 * Watches a job while the component lives; it renders anew when the job moves, once for all events of a moment.
 * @param job its id, a link, or what `startJob` gave; `undefined` or `null` for none yet
 * @param options.token the job's token, where nothing else opens it
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

/** Watches channels while the component lives. @param channels a name or several */
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
