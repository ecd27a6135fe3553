import { describe, expect, it } from 'vitest';
import { withCancels } from '../../../src/shared/lifecycle/cancel.js';
import { withChildren } from '../../../src/shared/lifecycle/children.js';
import { withPatience } from '../../../src/shared/lifecycle/patience.js';
import type { Reconciler } from '../../../src/shared/lifecycle/reconcile.js';
import { createScheduleMaintainer } from '../../../src/shared/schedules/maintainer.js';
import { openRedis } from '../../support/redis.js';

const fault = Object.assign(new Error('READONLY You can not write'), { name: 'ReplyError' });

/** A lifecycle under all that a worker puts round it, without a connection. @param refusals how often Redis refuses */
function wrapped(refusals: number) {
  const seen = { calls: 0, warnings: 0, signal: undefined as AbortSignal | undefined };
  const base: Reconciler = {
    async reconcile(_jobId, _hint, _progress, signal) {
      seen.calls++;
      seen.signal = signal;
      if (seen.calls <= refusals) throw fault;
      return { job: undefined, epoch: 'e', end: undefined };
    },
  };
  const keeper = createScheduleMaintainer({
    redis: openRedis('', { lazyConnect: true }),
    prefix: 't',
    reconciler: base,
  } as never);
  const patient = withPatience(keeper.reconciler, () => seen.warnings++);
  const none = undefined as never;
  return { seen, reconciler: withCancels(withChildren(patient, none, none), none) };
}

describe('a lifecycle with patience', () => {
  it('repeats itself until Redis has taken all of it, and is heard of once', async () => {
    const { reconciler, seen } = wrapped(2);
    expect(await reconciler.reconcile('q.1')).toMatchObject({ epoch: 'e' });
    expect(seen).toMatchObject({ calls: 3, warnings: 1 });
  });

  it('gives up at once when its answer is no longer wanted, however deep it lies', async () => {
    const { reconciler, seen } = wrapped(Number.POSITIVE_INFINITY);
    const stop = new AbortController();
    const waiting = reconciler.reconcile('q.1', undefined, undefined, stop.signal);
    await Promise.resolve();
    stop.abort();
    await expect(waiting).rejects.toBe(fault);
    expect(seen.signal).toBe(stop.signal);
    const { calls } = seen;
    await expect(reconciler.reconcile('q.1', undefined, undefined, stop.signal)).rejects.toBe(fault);
    expect(seen.calls).toBe(calls + 1);
  });

  it('throws what no patience can mend', async () => {
    const broken = withPatience({ reconcile: () => Promise.reject(new Error('WRONGTYPE')) }, () => {});
    await expect(broken.reconcile('q.1')).rejects.toThrow('WRONGTYPE');
  });
});
