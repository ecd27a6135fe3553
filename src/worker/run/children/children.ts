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
import { childId } from './identity.js';
import { type ChildRequest, checkChild, childRequest } from './request.js';
import type { ChildStarter } from './starter.js';
import type { ChildEnd, ChildWatch } from './watch.js';

/** What children need of their process. */
export interface ChildServices {
  registry: Registry;
  plan: QueuePlan;
  start: ChildStarter;
  watch: ChildWatch;
  register: ChildRegister;
  /** One that looks after the children of what has ended. */
  reconciler: ObservableReconciler;
  canceller: Canceller;
}

/** The run whose children they are. */
export interface ParentRun {
  jobId: string;
  settings: JobSettings;
  signal: AbortSignal;
  /** Whether children of an earlier attempt have not ended. */
  hasPending: boolean;
  /** Tells the viewers what becomes of children. */
  news: ChildEvents;
  /** Stops the run. */
  fail(error: ChildFailedError): void;
}

/**
 * What `ctx.child` does.
 * @param addPart called at most once, and before anything is waited for
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
   * The run has come to a result: cancels the children that have not ended, and waits until they have. BullMQ completes
   * no job before that.
   */
  awaitAll(): Promise<void>;
  /** The run is over: nobody listens to children any more. What becomes of them is decided by what became of it. */
  leave(): void;
}

export function createChildren(services: ChildServices, run: ParentRun): Children {
  const { registry, plan, start, watch, register, reconciler, canceller } = services;
  const { jobId, settings, signal, news } = run;
  const above = [...(settings.ancestors ?? []), jobId];
  /** What each child comes to; calls that mean the same child share it. */
  const ends = new Map<string, Promise<ChildEnd>>();
  /** Gives up waiting. */
  const waiting = new Set<(reason: unknown) => void>();
  let calls = 0;
  let over = false;

  const giveUp = (reason: unknown): void => {
    for (const reject of waiting) reject(reason);
  };
  const onAbort = (): void => giveUp(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });

  function checkOpen(): void {
    signal.throwIfAborted();
    if (over) throw new Error('the run is over: it can have no more children');
  }

  /** Waits for the end of a child; `undefined` when Redis has lost it. */
  async function untilEnd(id: string, part?: Part): Promise<ChildEnd | undefined> {
    signal.throwIfAborted();
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

  async function see(id: string, request: ChildRequest, data: unknown, part: Part, given: ChildOptions) {
    const { definition } = request;
    const options = await checkChild(definition, data, given.options);
    const { owner } = settings;
    let end: ChildEnd | undefined;
    while (!end) {
      checkOpen();
      end = await start(
        { id, parentId: jobId, definition, data, options, owner, ancestors: above },
        untilEnd,
      );
      // The run may have ended meanwhile, and the child come too late to be ended with it.
      if (!end && (over || signal.aborted)) await reconciler.reconcile(jobId);
      checkOpen();
      end ??= await untilEnd(id, part);
    }
    part.over();
    if (end.state !== 'completed') news.failed(new ChildFailedError(id, definition.name, end.error));
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
    // Here and not later: all children that are started in one go are in the bar from the first moment.
    if (!ends.has(id)) ends.set(id, see(id, request, data, addPart(request.weight), given));
    const end = await ends.get(id)!;
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
      // A parent need not wait for its child.
      result.catch(() => {});
      return result;
    },
    async awaitAll() {
      over = true;
      if (ends.size === 0 && !run.hasPending) return;
      giveUp(new Error('the run is over'));
      await Promise.allSettled(ends.values());
      for (;;) {
        const pending = await untilTaken(() => register.pending(jobId));
        if (pending.length === 0) return;
        news.cancelled(pending.length);
        await Promise.all(pending.map((id) => untilTaken(() => end(id))));
      }
    },
    leave() {
      over = true;
      signal.removeEventListener('abort', onAbort);
      giveUp(new Error('the run is over'));
    },
  };

  async function end(id: string): Promise<void> {
    const job = await canceller.cancel(id);
    if (job && !isFinished(job)) await untilEnd(id);
    await register.removePending(jobId, id);
  }
}
