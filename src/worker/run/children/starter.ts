import { PermanentError } from '../../../shared/errors.js';
import { keepFiles } from '../../../shared/files/keep.js';
import type { FileStore } from '../../../shared/files/store.js';
import { parseForeign } from '../../../shared/jobs/foreign-json.js';
import { addressOf, type OpenQueue } from '../../../shared/jobs/queues.js';
import type { ChildRegister } from '../../../shared/lifecycle/children.js';
import type { Reconciler } from '../../../shared/lifecycle/reconcile.js';
import { retryFailed } from '../../../shared/lifecycle/retry.js';
import { isFinished, type JobSnapshot } from '../../../shared/lifecycle/snapshot.js';
import { untilTaken } from '../../../shared/redis/until-taken.js';
import type { Enqueue, NewJob } from '../../../shared/runtime/enqueue.js';
import type { ChildEnd } from './watch.js';

export interface ChildStarterOptions {
  openQueue: OpenQueue;
  queuePrefix: string;
  reconciler: Reconciler;
  register: ChildRegister;
  enqueue: Enqueue;
  store: FileStore;
}

/** A child that is about to be started: what `enqueue` takes, and whose it is. */
export interface NewChild extends NewJob {
  parentId: string;
}

/**
 * Sees to it that a child is there and runs or will run: starts it, or finds what an earlier attempt of its parent
 * started. One that completed is not started again; one that failed or was cancelled is, with the data given now.
 * @param untilEnd waits for the end of one that is being cancelled at this moment
 * @returns how it ended, when it has completed already
 * @throws PermanentError for data that name files which are not there
 */
export type ChildStarter = (
  child: NewChild,
  untilEnd: (childId: string) => Promise<unknown>,
) => Promise<ChildEnd | undefined>;

export function createChildStarter(options: ChildStarterOptions): ChildStarter {
  const { openQueue, queuePrefix, reconciler, register, enqueue, store } = options;

  async function find(id: string, untilEnd: (childId: string) => Promise<unknown>) {
    const found = await reconciler.reconcile(id);
    if (!found.job?.cancelAsked || isFinished(found.job)) return found;
    // Asked to end by the end of an earlier run of the parent.
    await untilEnd(id);
    return reconciler.reconcile(id);
  }

  async function checkFiles({ definition, data }: NewChild): Promise<void> {
    // What its parent names or has made stays while the parent runs.
    const [missing] = await keepFiles(store, async () => true, data);
    if (missing) {
      throw new PermanentError(
        `a file for the child ${definition.name}: ${missing.pointer}: ${missing.detail}`,
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
    else await enqueue({ ...child, bullmq: bullmqParent(queuePrefix, parentId) });
    // The channel may still tell of an earlier end: from now on it says that the child runs again.
    if (epoch !== undefined) await reconciler.reconcile(id);
    return undefined;
  }

  // A child's id is made from the call, so whatever was done before a refusal is found again.
  return (child, untilEnd) => untilTaken(() => start(child, untilEnd));
}

const hasFailed = ({ state }: JobSnapshot): boolean => state === 'failed' || state === 'cancelled';

/** The parent as BullMQ knows it. Its run goes on meanwhile, and what becomes of a child is not for BullMQ to act on. */
function bullmqParent(queuePrefix: string, parentId: string) {
  const { queue, id } = addressOf(parentId)!;
  return { parent: { id, queue: `${queuePrefix}:${queue}` }, ignoreDependencyOnFailure: true };
}
