import { type Client, createClient, type JobReference } from './client.js';
import type { Job } from './job.js';
import type { Status } from './stream.js';
import { isTerminal, notFound } from './topic.js';
import type { ChannelEvent, JobEvent, NoEvents } from './types.js';
import {
  applyJobEvent,
  emptyChannel,
  emptyJob,
  type WatchedChannel,
  type WatchedJob,
  withStatus,
} from './view.js';
import { callListener } from './watch.js';

/**
 * A value that changes, with listeners. The value is replaced, never mutated, so that it can be compared by identity.
 */
export interface Store<T> {
  get(): T;
  /**
   * Adds a listener. The store follows its source while it has listeners.
   * @returns a function that removes the listener
   */
  subscribe(listener: () => void): () => void;
}

/** A client for any kinds of job. */
// biome-ignore lint/suspicious/noExplicitAny: stores do not depend on the types of jobs
export type AnyClient = Client<any>;

/** Default clients, by the address of their service; the page's own service has an empty address. */
const clients = new Map<string, AnyClient>();

/**
 * Returns the default client.
 * @param link a job's link; an address or path before `/v1/jobs` selects the service
 */
export function defaultClient(link = ''): AnyClient {
  const url = /^([^?#]+?)\/+v1\/jobs\//.exec(link)?.[1] ?? '';
  const client = clients.get(url) ?? createClient(url ? { url } : {});
  clients.set(url, client);
  return client;
}

/**
 * Creates a store that calls its listeners once for all changes of one tick.
 * @param open starts following the source, and returns a function that stops it
 */
function createStore<T>(first: T, open: (change: (next: (current: T) => T) => void) => () => void): Store<T> {
  const listeners = new Set<() => void>();
  let current = first;
  let close: (() => void) | undefined;
  let scheduled = false;
  const change = (next: (current: T) => T): void => {
    current = next(current);
    if (scheduled) return;
    scheduled = true;
    queueMicrotask(() => {
      scheduled = false;
      for (const listener of [...listeners]) listener();
    });
  };
  return {
    get: () => current,
    subscribe(listener) {
      // A wrapper, so that a function subscribed twice counts as two listeners.
      const own = (): void => listener();
      listeners.add(own);
      close ??= open(change);
      return () => {
        listeners.delete(own);
        if (listeners.size > 0) return;
        close?.();
        close = undefined;
      };
    },
  };
}

export interface JobStore<R = unknown> extends Store<WatchedJob<R>> {
  /** Requests the job's cancellation. */
  cancel(): Promise<void>;
  /** Runs the job again, and continues to show it. */
  retry(): Promise<void>;
}

/**
 * Creates a store of a job as a viewer sees it, live while the store has listeners.
 * @param reference the job; `undefined` if there is none yet
 * @param onEvent called with each event, before the event changes the store
 */
export function createJobStore<R = unknown, E = NoEvents>(
  given: AnyClient,
  reference: JobReference<R, E> | undefined,
  token?: string,
  onEvent?: (event: JobEvent<R, E>) => void,
): JobStore<R> {
  const client =
    given === defaultClient() && typeof reference === 'string' ? defaultClient(reference) : given;
  let lastEventId: string | undefined;
  let hasEnded = false;
  let follow: (() => void) | undefined;
  /** With retries, so that every viewer of the job sees it run again. */
  const job = (): Job<R, E> =>
    client.watchJob<R, E>(reference ?? '', { lastEventId, retries: true, ...(token ? { token } : {}) });

  const store = createStore(emptyJob<R>(''), (change) => {
    let stop: (() => void) | undefined;
    let listening = true;
    /** Shows that the job cannot be watched. The component that shows the job must not fail because of that. */
    const refuse = (error: unknown): void => {
      const problem = notFound(error instanceof Error ? error.message : String(error));
      hasEnded = true;
      change((now) => ({ ...now, status: 'ended', problem }));
    };
    const watch = (): void => {
      const { id } = job();
      /** The actual state of the connection. After the job's end, the store shows `ended` instead. */
      let status: Status = 'connecting';
      const show = (now: WatchedJob<R>): WatchedJob<R> =>
        withStatus(now, isTerminal(now.state) ? 'ended' : status);
      change((now) => show({ ...now, id }));
      stop = job().watch({
        onEvent: (event) => {
          lastEventId = event.id;
          callListener(onEvent, event);
          change((now) => show(applyJobEvent(now, event as JobEvent<R>)));
        },
        onStatus: (next) => {
          status = next;
          if (listening) change(show);
        },
        onEnd: (problem) => {
          // Without listeners the watching stops, although the job has not ended.
          hasEnded = listening;
          // A job that ended before it was removed keeps its last state.
          if (problem) change((now) => (isTerminal(now.state) ? now : { ...now, problem }));
        },
      });
    };
    follow = () => {
      if (reference == null || hasEnded) return;
      try {
        watch();
      } catch (error) {
        refuse(error);
      }
    };
    follow();
    return () => {
      listening = false;
      follow = undefined;
      stop?.();
    };
  });
  return {
    ...store,
    async cancel() {
      await job().cancel();
    },
    async retry() {
      await job().retry();
      if (!hasEnded) return;
      hasEnded = false;
      follow?.();
    },
  };
}

export interface ChannelStoreOptions {
  /** How many of the newest log events of the channel to replay first, 0 to 10000. Defaults to 0. */
  last?: number | undefined;
  /** How many events the store keeps. Defaults to 100. */
  keep?: number | undefined;
}

/** Creates a store of channels as a viewer sees them, live while the store has listeners. */
export function createChannelStore<T = unknown>(
  client: AnyClient,
  names: string[],
  { last, keep = 100 }: ChannelStoreOptions = {},
): Store<WatchedChannel<T>> {
  return createStore(emptyChannel<T>(), (change) => {
    // A new listener starts empty: otherwise kept events would appear twice.
    change(emptyChannel<T>);
    const channels = client.watchChannels<T>(names, {
      last,
      onEvent: (event: ChannelEvent<T>) =>
        change((now) =>
          event.event === 'reset'
            ? now
            : { ...now, last: event, events: [...now.events, event].slice(-keep) },
        ),
      onStatus: (status) => change((now) => ({ ...now, status })),
      onEnd: (problem) => change((now) => ({ ...now, problem: now.problem ?? problem })),
    });
    return () => channels.close();
  });
}
