import { PermanentError } from '../../../shared/errors.js';
import { keepFiles } from '../../../shared/files/keep.js';
import type { FileStore } from '../../../shared/files/store.js';
import { parseForeign } from '../../../shared/jobs/foreign-json.js';
import { type OpenQueue, requireAddress } from '../../../shared/jobs/queues.js';
import type { Keyspace } from '../../../shared/keyspace.js';
import type { ChildRegister } from '../../../shared/lifecycle/children.js';
import type { Reconciler } from '../../../shared/lifecycle/reconcile.js';
import { retryFailed } from '../../../shared/lifecycle/retry.js';
import { isFinished, type JobSnapshot } from '../../../shared/lifecycle/snapshot.js';
import { untilTaken } from '../../../shared/redis/until-taken.js';
import type { Enqueue, NewJob } from '../../../shared/runtime/enqueue.js';
import type { ChildEnd } from './watch.js';

export interface ChildStarterOptions {
  openQueue: OpenQueue;
  keyspace: Keyspace;
  reconciler: Reconciler;
  register: ChildRegister;
  enqueue: Enqueue;
  store: FileStore;
}

/** A child to start: the input of `enqueue` with the id of the parent. */
export interface NewChild extends NewJob {
  parentId: string;
}

/**
 * Makes sure that a child exists: starts it, or finds the child that an earlier attempt of the parent started. A
 * completed child is not started again; a failed or cancelled one is, with the new data.
 * @param untilEnd waits for the end of a child that is being cancelled
 * @returns the end of the child if it has completed already
 * @throws PermanentError if the data refers to a missing file
 */
export type ChildStarter = (
  child: NewChild,
  untilEnd: (childId: string) => Promise<unknown>,
) => Promise<ChildEnd | undefined>;

export function createChildStarter(options: ChildStarterOptions): ChildStarter {
  const { openQueue, keyspace, reconciler, register, enqueue, store } = options;

  async function find(id: string, untilEnd: (childId: string) => Promise<unknown>) {
    const found = await reconciler.reconcile(id);
    if (!found.job?.cancelAsked || isFinished(found.job)) return found;
    // An earlier run of the parent has ended and cancelled it.
    await untilEnd(id);
    return reconciler.reconcile(id);
  }

  async function checkFiles({ definition, data }: NewChild): Promise<void> {
    // Files that the parent refers to or has created are kept while it runs.
    const [missing] = await keepFiles(store, async () => true, data);
    if (missing) {
      throw new PermanentError(
        `the data of the child ${definition.name}: ${missing.pointer}: ${missing.detail}`,
      );
    }
  }

  async function start(
    child: NewChild,
    untilEnd: (childId: string) => Promise<unknown>,
  ): Promise<ChildEnd | undefined> {
    const { id, parentId } = child;
    const result = await register.result(parentId, id);
    if (result !== undefined) return { state: 'completed', result: parseForeign(result) ?? null };
    const { job, epoch } = await find(id, untilEnd);
    if (job?.state === 'completed') return { state: 'completed', result: job.result };
    if (job && !hasFailed(job)) return undefined;
    await checkFiles(child);
    if (job) await retryFailed(openQueue, id, child.data);
    else await enqueue({ ...child, bullmq: bullmqParent(keyspace, parentId) });
    // The channel may still show an earlier end: publish that the child runs again.
    if (epoch !== undefined) await reconciler.reconcile(id);
    return undefined;
  }

  // Safe to retry: the id of a child is derived from the call, so a retry finds what was done before.
  return (child, untilEnd) => untilTaken(() => start(child, untilEnd));
}

const hasFailed = ({ state }: JobSnapshot): boolean => state === 'failed' || state === 'cancelled';

/**
 * Options that make the child a child in BullMQ too. BullMQ must not act on its failure, because the parent is running.
 */
function bullmqParent(keyspace: Keyspace, parentId: string) {
  const { queue, id } = requireAddress(parentId);
  return { parent: { id, queue: keyspace.qualifiedName(queue) }, ignoreDependencyOnFailure: true };
}
