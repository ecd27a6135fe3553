import {
  type ComputedRef,
  computed,
  hasInjectionContext,
  type InjectionKey,
  inject,
  type MaybeRefOrGetter,
  onScopeDispose,
  type ShallowRef,
  shallowRef,
  toValue,
  watch,
} from 'vue';
import type { Client, JobReference } from '../client.js';
import type { JobMap, Jobs } from '../jobs.js';
import type { Labels } from '../labels/types.js';
import {
  type AnyClient,
  type ChannelStoreOptions,
  createChannelStore,
  createJobStore,
  defaultClient,
  type JobStore,
  type Store,
} from '../store.js';
import { createTimedJobStore, type Waits } from '../timed-job.js';
import type { JobEvent, NoEvents } from '../types.js';
import type { WatchedChannel, WatchedJob } from '../view.js';

export const clientKey: InjectionKey<AnyClient> = Symbol('headway');
/** The words that the plugin gives to `<JobProgress>`. */
export const labelsKey: InjectionKey<Partial<Labels>> = Symbol('headway labels');

/**
 * Returns the plugin's client. Without the plugin, returns a client of the service that served the page.
 * `useHeadway<typeof jobs>()`, with job definitions or job types by name, types it as `createClient` does.
 */
export const useHeadway = <J extends Jobs = JobMap>(): Client<J> =>
  ((hasInjectionContext() ? inject(clientKey, undefined) : undefined) ?? defaultClient()) as Client<J>;

/** Follows a store, and replaces it when its key changes. On a server, no store is followed. */
function useStore<T, S extends Store<T>>(key: () => unknown, create: () => S) {
  let store = create();
  const now: ShallowRef<T> = shallowRef(store.get());
  let stop = (): void => {};
  function follow(): void {
    const own = store;
    const update = (): void => {
      now.value = own.get();
    };
    update();
    if (typeof document !== 'undefined') stop = own.subscribe(update);
  }
  follow();
  watch(key, () => {
    stop();
    store = create();
    follow();
  });
  onScopeDispose(() => stop());
  return { now, store: () => store };
}

/** The result of {@link useJob}. */
export interface UsedJob<R = unknown> extends Pick<JobStore<R>, 'cancel' | 'retry'> {
  /** Everything known about the job. */
  job: Readonly<ShallowRef<WatchedJob<R>>>;
  percent: ComputedRef<number | null>;
  state: ComputedRef<WatchedJob<R>['state']>;
  /** The state of the connection. */
  status: ComputedRef<WatchedJob<R>['status']>;
  result: ComputedRef<R | undefined>;
  error: ComputedRef<WatchedJob<R>['error']>;
}

/** Options of {@link useJob}. */
export interface UseJobOptions<R = unknown, E = NoEvents> {
  /** The job's token, if nothing else grants access. */
  token?: MaybeRefOrGetter<string | undefined>;
  /** Called for every event of the job, past and new, in order. */
  onEvent?: ((event: JobEvent<R, E>) => void) | undefined;
}

/**
 * Watches a job while the component (or scope) is active. The result of `startJob` has the types of the job's result and
 * custom events; `useJob<Result>(id)` states them for an id.
 * @param job the job's id, a link to it, or the result of `startJob`, or a ref or getter of these; `undefined` or `null` if
 * there is none yet
 */
export const useJob = <R = unknown, E = NoEvents>(
  job: MaybeRefOrGetter<JobReference<R, E> | null | undefined>,
  { token, onEvent }: UseJobOptions<R, E> = {},
): UsedJob<R> =>
  useJobStore<R>(job, token, (client, reference, opener) =>
    createJobStore<R, E>(client, reference, opener, onEvent),
  );

/** Like {@link useJob}, and also returns what depends on the clock: see {@link TimedJobStore.timing}. */
export function useTimedJob<R = unknown, E = NoEvents>(
  job: MaybeRefOrGetter<JobReference<R, E> | null | undefined>,
  { token }: { token?: MaybeRefOrGetter<string | undefined> } = {},
): UsedJob<R> & { timing: Readonly<ShallowRef<Waits>> } {
  const timing = shallowRef<Waits>({});
  const used = useJobStore<R>(job, token, (client, reference, opener) => {
    const store = createTimedJobStore<R>(client, reference, opener);
    const update = (): void => {
      timing.value = store.timing();
    };
    update();
    return {
      ...store,
      subscribe: (listener) =>
        store.subscribe(() => {
          update();
          listener();
        }, update),
    };
  });
  return { ...used, timing };
}

/** @param create creates the store of each job that is watched */
function useJobStore<R>(
  job: MaybeRefOrGetter<JobReference<unknown, unknown> | null | undefined>,
  token: MaybeRefOrGetter<string | undefined> | undefined,
  create: (client: AnyClient, reference: string | undefined, token?: string) => JobStore<R>,
): UsedJob<R> {
  const client: AnyClient = useHeadway();
  const link = (): string | undefined => {
    const value = toValue(job);
    return (typeof value === 'string' ? value : value?.id) || undefined;
  };
  const opener = (): string | undefined => {
    const value = toValue(job);
    return toValue(token) ?? (typeof value === 'string' ? undefined : value?.token);
  };
  const { now, store } = useStore<WatchedJob<R>, JobStore<R>>(
    () => `${link()} ${opener()}`,
    () => create(client, link(), opener()),
  );
  return {
    job: now,
    percent: computed(() => now.value.percent),
    state: computed(() => now.value.state),
    status: computed(() => now.value.status),
    result: computed(() => now.value.result),
    error: computed(() => now.value.error),
    cancel: () => store().cancel(),
    retry: () => store().retry(),
  };
}

/** The result of {@link useChannel}. */
export interface UsedChannel<T = unknown> {
  events: ComputedRef<WatchedChannel<T>['events']>;
  /** The newest event. */
  last: ComputedRef<WatchedChannel<T>['last']>;
  /** The state of the connection. */
  status: ComputedRef<WatchedChannel<T>['status']>;
  problem: ComputedRef<WatchedChannel<T>['problem']>;
}

/** Watches channels while the component (or scope) is active. @param channels one name or several, or a ref or getter of these */
export function useChannel<T = unknown>(
  channels: MaybeRefOrGetter<string | string[]>,
  options: ChannelStoreOptions = {},
): UsedChannel<T> {
  const client: AnyClient = useHeadway();
  const names = (): string[] => [toValue(channels)].flat();
  const { now } = useStore<WatchedChannel<T>, Store<WatchedChannel<T>>>(
    () => names().join(),
    () => createChannelStore<T>(client, names(), options),
  );
  return {
    events: computed(() => now.value.events),
    last: computed(() => now.value.last),
    status: computed(() => now.value.status),
    problem: computed(() => now.value.problem),
  };
}
