import { ChildFailedError } from '../../../shared/errors.js';
import type { ChildOptions } from '../../../shared/jobs/definition.js';
import type { QueuePlan } from '../../../shared/jobs/queues.js';
import type { Registry } from '../../../shared/jobs/registry.js';
import type { JobSettings } from '../../../shared/jobs/settings.js';
import type { Canceller } from '../../../shared/lifecycle/cancel.js';
import type { ChildRegister } from '../../../shared/lifecycle/children.js';
import type { ObservableReconciler } from '../../../shared/lifecycle/observers.js';
import { isFinished } from '../../../shared/lifecycle/snapshot.js';
import { untilTaken } from '../../../shared/redis/until-taken.js';
import type { ChildEvents } from '../../reporting/child-events.js';
import type { AddPart, Part } from '../../reporting/roll-up.js';
import { type ChildRequest, checkChild, childId, childRequest } from './request.js';
import type { ChildStarter } from './starter.js';
import type { ChildEnd, ChildWatch } from './watch.js';

/** Services that the children of all runs of a process share. */
export interface ChildServices {
  registry: Registry;
  plan: QueuePlan;
  start: ChildStarter;
  watch: ChildWatch;
  register: ChildRegister;
  /** Also cancels or updates the children of jobs that have ended. */
  reconciler: ObservableReconciler;
  canceller: Canceller;
}

/** The run that starts the children. */
export interface ParentRun {
  jobId: string;
  settings: JobSettings;
  signal: AbortSignal;
  /** Whether children of an earlier attempt are still pending. */
  hasPending: boolean;
  /** Publishes failed and cancelled children on the channel of the job. */
  events: ChildEvents;
  /** Stops the run. */
  fail(error: ChildFailedError): void;
}

/**
 * Implements `ctx.child`.
 * @param addPart adds the child to the progress of its parent. Called at most once, and synchronously
 */
export type StartChild = (
  addPart: AddPart,
  name: string,
  data: unknown,
  options?: ChildOptions,
) => Promise<unknown>;

/** The children of one run of a job. */
export interface Children {
  start: StartChild;
  /**
   * Cancels the children that have not ended and waits for their end. Called when the run has a result: BullMQ does not
   * complete a job with pending children.
   */
  awaitAll(): Promise<void>;
  /** Stops following the children when the run is over. The outcome of the run decides what happens to them. */
  detach(): void;
}

export function createChildren(services: ChildServices, run: ParentRun): Children {
  const { registry, plan, start, watch, register, reconciler, canceller } = services;
  const { jobId, settings, signal, events } = run;
  const above = [...(settings.ancestors ?? []), jobId];
  /** The end of each child by id. Calls for the same child share it. */
  const ends = new Map<string, Promise<ChildEnd>>();
  /** Rejects each pending wait. */
  const waiting = new Set<(reason: unknown) => void>();
  let calls = 0;
  let over = false;

  const rejectAll = (reason: () => unknown): void => {
    for (const reject of waiting) reject(reason());
  };
  const isOver = (): Error => new Error('the run is over');
  const onAbort = (): void => rejectAll(() => signal.reason);

  function checkOpen(): void {
    signal.throwIfAborted();
    if (over) throw new Error('the run is over; it cannot start children');
  }

  /** Resolves with the end of a child; `undefined` if Redis has lost the child. */
  async function untilEnd(id: string, part?: Part): Promise<ChildEnd | undefined> {
    signal.throwIfAborted();
    // Adding the same listener again changes nothing.
    signal.addEventListener('abort', onAbort, { once: true });
    let unfollow: (() => void) | undefined;
    let reject: (reason: unknown) => void = () => {};
    try {
      return await new Promise<ChildEnd | undefined>((resolve, fail) => {
        reject = fail;
        waiting.add(reject);
        unfollow = watch.follow(id, {
          onPercent: (percent) => part?.percent(percent),
          onEnd: resolve,
          onLost: () => resolve(undefined),
        });
      });
    } finally {
      waiting.delete(reject);
      unfollow?.();
    }
  }

  /** Starts a child unless it exists, and resolves with its end. Starts it again if Redis loses it. */
  async function ensureChild(
    id: string,
    request: ChildRequest,
    data: unknown,
    part: Part,
    given: ChildOptions,
  ) {
    const { definition } = request;
    const options = await checkChild(definition, data, given.options);
    const { owner, requestId } = settings;
    let end: ChildEnd | undefined;
    while (!end) {
      checkOpen();
      end = await start(
        { id, parentId: jobId, definition, data, options, owner, requestId, ancestors: above },
        untilEnd,
      );
      // If the run has ended meanwhile, the new child was not cancelled with the others.
      if (!end && (over || signal.aborted)) await reconciler.reconcile(jobId);
      checkOpen();
      end ??= await untilEnd(id, part);
    }
    part.end();
    if (end.state !== 'completed') events.failed(new ChildFailedError(id, definition.name, end.error));
    return end;
  }

  async function call(
    addPart: AddPart,
    name: string,
    data: unknown,
    given: ChildOptions,
    number: number,
  ): Promise<unknown> {
    checkOpen();
    const request = childRequest(registry, plan, above, name, given);
    const id = childId(request.queue, jobId, name, given.key ?? number);
    // Added synchronously: children started together all count in the progress from the beginning.
    const ending = ends.get(id) ?? ensureChild(id, request, data, addPart(request.weight), given);
    ends.set(id, ending);
    const end = await ending;
    if (end.state === 'completed') return end.result;
    const error = new ChildFailedError(id, name, end.error);
    if (request.onFailure === 'ignore') return undefined;
    if (request.onFailure === 'fail') run.fail(error);
    throw error;
  }

  return {
    start(addPart, name, data, given = {}) {
      const number = given.key === undefined ? calls++ : -1;
      const result = call(addPart, name, data, given, number);
      // A parent is not required to await its child.
      result.catch(() => {});
      return result;
    },
    async awaitAll() {
      over = true;
      if (ends.size === 0 && !run.hasPending) return;
      rejectAll(isOver);
      await Promise.allSettled(ends.values());
      for (;;) {
        const pending = await untilTaken(() => register.pending(jobId));
        if (pending.length === 0) return;
        events.cancelled(pending.length);
        await Promise.all(pending.map((id) => untilTaken(() => cancelChild(id))));
      }
    },
    detach() {
      over = true;
      signal.removeEventListener('abort', onAbort);
      rejectAll(isOver);
    },
  };

  async function cancelChild(id: string): Promise<void> {
    const job = await canceller.cancel(id);
    if (job && !isFinished(job)) await untilEnd(id);
    await register.removePending(jobId, id);
  }
}
