/** Headway for Svelte 3 and newer: readable stores of live jobs and channels. They need nothing of Svelte itself. */
import type { JobReference } from '../client.js';
import {
  type AnyClient,
  type ChannelStoreOptions,
  createChannelStore,
  createJobStore,
  defaultClient,
  type JobStore,
  type Store,
} from '../store.js';
import type { WatchedChannel, WatchedJob } from '../view.js';

export type { WatchedChannel, WatchedJob } from '../view.js';

/** A store as Svelte defines it: `$store` in a component, `get(store)` and `derived(store, …)` of `svelte/store`. */
export interface Readable<T> {
  /** Calls `run` with the present value, and then with each new one. @returns a function that ends this */
  subscribe(run: (value: T) => void): () => void;
}

interface WithClient {
  /** Defaults to a client of the service that served the page. */
  client?: AnyClient | undefined;
}

/** The result of {@link jobStore}. */
export type ReadableJob<R = unknown> = Readable<WatchedJob<R>> & Pick<JobStore<R>, 'cancel' | 'retry'>;

/**
 * Returns a store of a job, which is watched while the store has subscribers.
 * @param job the job's id, a link to it, or the result of `startJob`; `undefined` or `null` if there is none yet
 * @param options.token the job's token, if nothing else grants access
 */
export function jobStore<R = unknown>(
  job: JobReference | null | undefined,
  { token, client = defaultClient() }: WithClient & { token?: string | undefined } = {},
): ReadableJob<R> {
  const link = typeof job === 'string' ? job : job?.id;
  const opener = token ?? (typeof job === 'string' ? undefined : job?.token);
  const store = createJobStore<R>(client, link || undefined, opener);
  return { ...readable(store), cancel: store.cancel, retry: store.retry };
}

/** Returns a store of channels, which are watched while the store has subscribers. @param channels one name or several */
export function channelStore<T = unknown>(
  channels: string | string[],
  { client = defaultClient(), ...options }: WithClient & ChannelStoreOptions = {},
): Readable<WatchedChannel<T>> {
  return readable(createChannelStore<T>(client, [channels].flat(), options));
}

/** On a server, where a page is rendered once, nothing is followed. */
const readable = <T>(store: Store<T>): Readable<T> => ({
  subscribe(run) {
    run(store.get());
    return typeof document === 'undefined' ? () => {} : store.subscribe(() => run(store.get()));
  },
});
