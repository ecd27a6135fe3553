import { type Client, createClient, type JobReference } from './client.js';
import type { Job } from './job.js';
import type { Status } from './stream.js';
import { isTerminal, notFound } from './topic.js';
import type { ChannelEvent, JobEvent } from './types.js';
import {
  applyJobEvent,
  unseenChannel,
  unseenJob,
  type WatchedChannel,
  type WatchedJob,
  withStatus,
} from './view.js';

/** Something that changes, and tells. What it holds is replaced, never changed, so that it can be compared. */
export interface Store<T> {
  get(): T;
  /** Follows while there is somebody who listens. @returns stops listening */
  subscribe(listener: () => void): () => void;
}

/** Whatever kinds of job a client knows. */
// biome-ignore lint/suspicious/noExplicitAny: the types of jobs are of no matter here
export type AnyClient = Client<any>;

/** Clients by the address of their service; that of the page's own service by an empty one. */
const clients = new Map<string, AnyClient>();

/**
 * The client of those who were given none.
 * @param link of a job: one with an address or a path before `/v1/jobs` names its service
 */
export function defaultClient(link = ''): AnyClient {
  const url = /^([^?#]+?)\/+v1\/jobs\//.exec(link)?.[1] ?? '';
  const client = clients.get(url) ?? createClient(url ? { url } : {});
  clients.set(url, client);
  return client;
}

/**
 * Calls listeners once for all changes of a moment.
 * @param open begins to follow. @returns ends it
 */
function createStore<T>(first: T, open: (change: (next: (now: T) => T) => void) => () => void): Store<T> {
  const listeners = new Set<() => void>();
  let now = first;
  let close: (() => void) | undefined;
  let told = true;
  const change = (next: (now: T) => T): void => {
    now = next(now);
    if (!told) return;
    told = false;
    queueMicrotask(() => {
      told = true;
      for (const listener of [...listeners]) listener();
    });
  };
  return {
    get: () => now,
    subscribe(listener) {
      // One of its own, so that the same function given twice is two.
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
  /** Asks for its end. */
  cancel(): Promise<void>;
  /** Runs it again, and shows that. */
  retry(): Promise<void>;
}

/**
 * A job as its viewer sees it, live while somebody listens. `undefined` is no job yet.
 * @param onEvent hears of each event before the job is what that makes of it
 */
export function createJobStore<R = unknown>(
  given: AnyClient,
  reference: JobReference | undefined,
  token?: string,
  onEvent?: (event: JobEvent<R>) => void,
): JobStore<R> {
  const client =
    given === defaultClient() && typeof reference === 'string' ? defaultClient(reference) : given;
  let lastEventId: string | undefined;
  let over = false;
  let follow: (() => void) | undefined;
  // Whoever runs the job again, everybody who shows it sees that.
  const job = (): Job<R> =>
    client.watchJob<R>(reference!, { lastEventId, retries: true, ...(token ? { token } : {}) });

  const store = createStore(unseenJob<R>(''), (change) => {
    let stop: (() => void) | undefined;
    let listening = true;
    /** It cannot be watched at all. Whoever shows it must not fail with it. */
    const refuse = (error: unknown): void => {
      const problem = notFound(error instanceof Error ? error.message : String(error));
      over = true;
      change((now) => ({ ...now, status: 'ended', problem }));
    };
    const watch = (): void => {
      const { id } = job();
      /** Of the connection, which goes on after the job's end, while the job counts as ended. */
      let status: Status = 'connecting';
      const show = (now: WatchedJob<R>): WatchedJob<R> =>
        withStatus(now, isTerminal(now.state) ? 'ended' : status);
      change((now) => show({ ...now, id }));
      stop = job().watch({
        onEvent: (event: JobEvent<R>) => {
          lastEventId = event.id;
          onEvent?.(event);
          change((now) => show(applyJobEvent(now, event)));
        },
        onStatus: (next) => {
          status = next;
          if (listening) change(show);
        },
        onEnd: (problem) => {
          // That nobody listens any more is not its end.
          over = listening;
          // A job that has ended, and is kept no longer, is still what it came to.
          if (problem) change((now) => (isTerminal(now.state) ? now : { ...now, problem }));
        },
      });
    };
    follow = () => {
      if (reference == null || over) return;
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
      if (!over) return;
      over = false;
      follow?.();
    },
  };
}

export interface ChannelStoreOptions {
  /** How many of the newest events of the log come first, 0 to 10000. Default 0. */
  last?: number | undefined;
  /** How many events are kept. Default 100. */
  keep?: number | undefined;
}

/** Channels as their viewer sees them, live while somebody listens. */
export function createChannelStore<T = unknown>(
  client: AnyClient,
  names: string[],
  { last, keep = 100 }: ChannelStoreOptions = {},
): Store<WatchedChannel<T>> {
  return createStore(unseenChannel<T>(), (change) => {
    // Who comes back begins anew: else events that are kept would come twice.
    change(unseenChannel<T>);
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
