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
import type { JobEvent, NoEvents } from '../types.js';
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

/** Options of {@link jobStore}. */
export interface JobStoreOptions<R = unknown, E = NoEvents> extends WithClient {
  /** The job's token, if nothing else grants access. */
  token?: string | undefined;
  /** Called for every event of the job, past and new, in order. */
  onEvent?: ((event: JobEvent<R, E>) => void) | undefined;
}

/** The result of {@link jobStore}: a store of the job, with functions to cancel and retry it. */
export type ReadableJob<R = unknown> = Readable<WatchedJob<R>> & Pick<JobStore<R>, 'cancel' | 'retry'>;

/**
 * Returns a store of a job, which is watched while the store has subscribers. The result of `startJob` has the types of the
 * job's result and custom events; `jobStore<Result>(id)` states them for an id.
 * @param job the job's id, a link to it, or the result of `startJob`; `undefined` or `null` if there is none yet
 */
export function jobStore<R = unknown, E = NoEvents>(
  job: JobReference<R, E> | null | undefined,
  { token, onEvent, client = defaultClient() }: JobStoreOptions<R, E> = {},
): ReadableJob<R> {
  const link = typeof job === 'string' ? job : job?.id;
  const opener = token ?? (typeof job === 'string' ? undefined : job?.token);
  const store = createJobStore<R, E>(client, link || undefined, opener, onEvent);
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
