import type { EndHint } from '../bullmq/bull-events.js';
import type { ForeignProgress } from '../bullmq/foreign-reports.js';
import { untilTaken } from '../redis/until-taken.js';
import type { Transition } from './events.js';
import { type PublishedState, RANK } from './published.js';
import type { JobSnapshot } from './snapshot.js';

/** The state of a job in BullMQ and on its channel, after the two were reconciled. */
export interface Reconciled {
  /** `undefined` when BullMQ has no such job. */
  job: JobSnapshot | undefined;
  /** The channel's epoch; `undefined` when there is no channel. */
  epoch: string | undefined;
  /** The offset of the terminal event; `undefined` while the job has not ended. */
  end: number | undefined;
  /** What was published, if this reconciliation has published all that was missing. */
  known?: KnownState;
}

/** What a reconciliation has published. A later one of the same job does not have to read it again. */
export interface KnownState {
  published: PublishedState & { epoch: string };
  /** The run of the Redis server, see `server-run.ts`. */
  run: string;
  /** Nothing was read: a job in its first run is assumed to be published as waiting. Redis rejects the event otherwise. */
  assumed?: true;
}

/** What is most likely published of a job whose first run begins, or has completed with its start held back. */
export const assumeWaiting = (run: string): KnownState => ({
  published: { epoch: '', attempt: 0, rank: RANK.waiting, failures: 0, stalls: 0, end: undefined },
  run,
  assumed: true,
});

/** Keeps the channel of each job up to date with the state of the job in BullMQ. */
export interface Reconciler {
  /**
   * Compares what a job's channel has published with the job's state in BullMQ, and publishes the missing events. Any
   * process may call it at any time, even concurrently for the same job.
   * @param hint how the job ended, from BullMQ's event, for a job that may be removed
   * @param progress the newest progress of a worker that knows only BullMQ; ignored when its attempt is over
   * @param signal aborted when the result is no longer needed; ends the repetition of a `retrying` reconciler
   * @param known what an earlier reconciliation has published. It may be outdated, like everything that was read
   */
  reconcile(
    jobId: string,
    hint?: EndHint,
    progress?: ForeignProgress,
    signal?: AbortSignal,
    known?: KnownState,
  ): Promise<Reconciled>;
}

/** Takes part in reconciliations. Each method is optional. */
export interface ReconcileObserver {
  /**
   * Runs before an event is published; the event waits for it. A process may die between the two steps, so it may run
   * more than once for the same transition.
   * @param job `undefined` when BullMQ has removed the job
   */
  beforePublish?(jobId: string, transition: Transition, job: JobSnapshot | undefined): Promise<void>;
  /** Runs once for each published event, in the process that published it. */
  afterPublish?(transition: Transition, job: JobSnapshot | undefined): void;
  /** Acts on the state of a job that was reconciled. Must be idempotent: it runs after each reconciliation. */
  afterReconcile?(job: JobSnapshot): Promise<void>;
}

/**
 * A reconciler that can be extended with observers. Observers run in the order in which they were added. A process has
 * one reconciler and adds observers for the callers that need them:
 *
 * | observer  | hook                            | runs for                                                   |
 * | --------- | ------------------------------- | ---------------------------------------------------------- |
 * | webhooks  | `beforePublish`                 | every caller                                               |
 * | counters  | `afterPublish`                  | every caller                                               |
 * | schedules | `afterReconcile`                | the synchronization of schedules, everything in a worker, the queue follower |
 * | children  | `afterReconcile`                | the jobs that a worker runs and their children, the queue follower |
 * | cancels   | `afterReconcile`                | the queue follower                                         |
 *
 * Requests and streams of the API only publish. The canceller must not have the observers that cancel jobs: they call it.
 */
export interface ObservableReconciler extends Reconciler {
  /** Returns the same reconciler with further observers, which run after the existing ones. */
  with(...observers: ReconcileObserver[]): ObservableReconciler;
  /**
   * Returns a reconciler that repeats a reconciliation, including the observers it has now, while Redis refuses
   * commands. Observers that are added to the result are not repeated.
   * @param onRefused called with the first error of a series
   */
  retrying(onRefused: (error: unknown) => void): ObservableReconciler;
}

type ReconcileArguments = Parameters<Reconciler['reconcile']>;

/**
 * Makes a reconciler observable.
 * @param run reconciles a job and calls `beforePublish` and `afterPublish` of the observers that are passed to it
 */
export function observable(
  run: (args: ReconcileArguments, observers: readonly ReconcileObserver[]) => Promise<Reconciled>,
): ObservableReconciler {
  return {
    reconcile: (...args) => run(args, []),
    with: (...observers) =>
      observable(async (args, later) => {
        const reconciled = await run(args, [...observers, ...later]);
        if (reconciled.job) {
          for (const observer of observers) await observer.afterReconcile?.(reconciled.job);
        }
        return reconciled;
      }),
    retrying: (onRefused) =>
      observable((args, later) => untilTaken(() => run(args, later), { signal: args[3], onRefused })),
  };
}
