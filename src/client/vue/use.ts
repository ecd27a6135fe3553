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
import type { JobReference } from '../client.js';
import { createJobTimer } from '../job-timer.js';
import {
  type AnyClient,
  type ChannelStoreOptions,
  createChannelStore,
  createJobStore,
  defaultClient,
  type JobStore,
  type Store,
} from '../store.js';
import type { JobEvent } from '../types.js';
import { unseenChannel, unseenJob, type WatchedChannel, type WatchedJob } from '../view.js';
import { stalledWords } from '../words.js';

export const clientKey: InjectionKey<AnyClient> = Symbol('headway');

/** The client of the plugin. Without it, one for the service that the page comes from. */
export const useHeadway = (): AnyClient =>
  (hasInjectionContext() ? inject(clientKey, undefined) : undefined) ?? defaultClient();

/** Follows the store that a getter names, another one when that changes. On a server nothing is followed. */
function useStore<T, S extends Store<T>>(name: () => unknown, make: () => S, none: T) {
  const now: ShallowRef<T> = shallowRef(none);
  let store: S | undefined;
  let stop = (): void => {};
  watch(
    name,
    () => {
      stop();
      store = make();
      const own = store;
      const take = (): void => {
        now.value = own.get();
      };
      take();
      if (typeof document !== 'undefined') stop = own.subscribe(take);
    },
    { immediate: true },
  );
  onScopeDispose(() => stop());
  return { now, store: () => store! };
}

/** What {@link useJob} gives. */
export interface UsedJob<R = unknown> extends Pick<JobStore<R>, 'cancel' | 'retry'> {
  /** All that is known of it. */
  job: Readonly<ShallowRef<WatchedJob<R>>>;
  percent: ComputedRef<number | null>;
  state: ComputedRef<WatchedJob<R>['state']>;
  /** Of the connection. */
  status: ComputedRef<WatchedJob<R>['status']>;
  result: ComputedRef<R | undefined>;
  error: ComputedRef<WatchedJob<R>['error']>;
}

/**
 * Watches a job while the component (or scope) lives.
 * @param job its id, a link, or what `startJob` gave, also as a ref or getter; `undefined` or `null` for none yet
 * @param options.token the job's token, where nothing else opens it
 */
export const useJob = <R = unknown>(
  job: MaybeRefOrGetter<JobReference | null | undefined>,
  { token }: { token?: MaybeRefOrGetter<string | undefined> } = {},
): UsedJob<R> => useHeardJob<R>(job, token, () => undefined);

/** As {@link useJob}; says also for how long the job has stood still. */
export function useTimedJob<R = unknown>(
  job: MaybeRefOrGetter<JobReference | null | undefined>,
  { token }: { token?: MaybeRefOrGetter<string | undefined> } = {},
): UsedJob<R> & { stalled: Readonly<ShallowRef<string>> } {
  const stalled = shallowRef('');
  let timer = createJobTimer();
  const used = useHeardJob<R>(job, token, () => {
    timer = createJobTimer();
    return timer.event;
  });
  const look = (): void => {
    timer.status(used.status.value);
    stalled.value = stalledWords(timer.timing());
  };
  watch(used.job, look, { immediate: true });
  if (typeof document !== 'undefined') {
    const clock = setInterval(look, 1000);
    onScopeDispose(() => clearInterval(clock));
  }
  return { ...used, stalled };
}

/** @param hearer called for each job that is watched; what it gives hears of each event of that job */
function useHeardJob<R>(
  job: MaybeRefOrGetter<JobReference | null | undefined>,
  token: MaybeRefOrGetter<string | undefined> | undefined,
  hearer: () => ((event: JobEvent<R>) => void) | undefined,
): UsedJob<R> {
  const client = useHeadway();
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
    () => createJobStore<R>(client, link(), opener(), hearer()),
    unseenJob<R>(''),
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

/** What {@link useChannel} gives. */
export interface UsedChannel<T = unknown> {
  events: ComputedRef<WatchedChannel<T>['events']>;
  /** The newest event. */
  last: ComputedRef<WatchedChannel<T>['last']>;
  /** Of the connection. */
  status: ComputedRef<WatchedChannel<T>['status']>;
  problem: ComputedRef<WatchedChannel<T>['problem']>;
}

/** Watches channels while the component (or scope) lives. @param channels a name or several, also as a ref or getter */
export function useChannel<T = unknown>(
  channels: MaybeRefOrGetter<string | string[]>,
  options: ChannelStoreOptions = {},
): UsedChannel<T> {
  const client = useHeadway();
  const names = (): string[] => [toValue(channels)].flat();
  const { now } = useStore<WatchedChannel<T>, Store<WatchedChannel<T>>>(
    () => names().join(),
    () => createChannelStore<T>(client, names(), options),
    unseenChannel<T>(),
  );
  return {
    events: computed(() => now.value.events),
    last: computed(() => now.value.last),
    status: computed(() => now.value.status),
    problem: computed(() => now.value.problem),
  };
}
