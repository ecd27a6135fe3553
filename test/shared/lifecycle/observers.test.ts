import { describe, expect, it } from 'vitest';
import { createKeyspace } from '../../../src/shared/keyspace.js';
import { cancelObserver } from '../../../src/shared/lifecycle/cancel.js';
import { childrenObserver } from '../../../src/shared/lifecycle/children.js';
import { observable, type ReconcileObserver } from '../../../src/shared/lifecycle/observers.js';
import { createScheduleMaintainer } from '../../../src/shared/schedules/maintainer.js';
import { openRedis } from '../../support/redis.js';

const refusal = Object.assign(new Error('READONLY You can not write'), { name: 'ReplyError' });

/** The reconciler of a worker's queue follower, without a connection. @param refusals how often Redis refuses */
function workerReconciler(refusals: number) {
  const seen = { calls: 0, warnings: 0, signal: undefined as AbortSignal | undefined };
  const base = observable(async ([, , , signal]) => {
    seen.calls++;
    seen.signal = signal;
    if (seen.calls <= refusals) throw refusal;
    return { job: undefined, epoch: 'e', end: undefined };
  });
  const schedules = createScheduleMaintainer({
    redis: openRedis('', { lazyConnect: true }),
    keyspace: createKeyspace('t'),
    reconciler: base,
  } as never);
  const none = undefined as never;
  const reconciler = base
    .with(schedules.observer)
    .retrying(() => seen.warnings++)
    .with(childrenObserver(none, none), cancelObserver(none));
  return { seen, reconciler };
}

describe('a retrying reconciler', () => {
  it('repeats a reconciliation until Redis accepts it, and reports one warning', async () => {
    const { reconciler, seen } = workerReconciler(2);
    expect(await reconciler.reconcile('q.1')).toMatchObject({ epoch: 'e' });
    expect(seen).toMatchObject({ calls: 3, warnings: 1 });
  });

  it('gives up at once when the signal is aborted', async () => {
    const { reconciler, seen } = workerReconciler(Number.POSITIVE_INFINITY);
    const stop = new AbortController();
    const pending = reconciler.reconcile('q.1', undefined, undefined, stop.signal);
    await Promise.resolve();
    stop.abort();
    await expect(pending).rejects.toBe(refusal);
    expect(seen.signal).toBe(stop.signal);
    const { calls } = seen;
    await expect(reconciler.reconcile('q.1', undefined, undefined, stop.signal)).rejects.toBe(refusal);
    expect(seen.calls).toBe(calls + 1);
  });

  it('throws an error that a retry cannot fix', async () => {
    const broken = observable(() => Promise.reject(new Error('WRONGTYPE'))).retrying(() => {});
    await expect(broken.reconcile('q.1')).rejects.toThrow('WRONGTYPE');
  });
});

describe('the observers of a reconciler', () => {
  const calls: string[] = [];
  const observer = (name: string, fails = false): ReconcileObserver => ({
    async beforePublish() {
      calls.push(`${name} before`);
    },
    afterPublish: () => calls.push(`${name} after`),
    async afterReconcile() {
      calls.push(`${name} reconciled`);
      if (fails && calls.filter((call) => call === `${name} reconciled`).length === 1) throw refusal;
    },
  });
  const job = { id: 'q.1' } as never;
  const base = observable(async (_args, observers) => {
    for (const one of observers) await one.beforePublish?.('q.1', {} as never, job);
    for (const one of observers) one.afterPublish?.({} as never, job);
    return { job, epoch: 'e', end: undefined };
  });

  it('run in the order in which they were added, each hook in turn', async () => {
    calls.length = 0;
    await base.with(observer('a')).with(observer('b'), observer('c')).reconcile('q.1');
    expect(calls).toEqual([
      ...['a before', 'b before', 'c before', 'a after', 'b after', 'c after'],
      ...['a reconciled', 'b reconciled', 'c reconciled'],
    ]);
  });

  it('are not called by the original reconciler', async () => {
    calls.length = 0;
    const first = base.with(observer('a'));
    first.with(observer('b'));
    await first.reconcile('q.1');
    expect(calls).toEqual(['a before', 'a after', 'a reconciled']);
  });

  it('are repeated when they were added before `retrying`, and only then', async () => {
    calls.length = 0;
    const retrying = base.with(observer('a', true)).retrying(() => {});
    await retrying.with(observer('b')).reconcile('q.1');
    expect(calls.filter((call) => call.endsWith('reconciled'))).toEqual([
      'a reconciled',
      'a reconciled',
      'b reconciled',
    ]);
    calls.length = 0;
    await expect(retrying.with(observer('c', true)).reconcile('q.1')).rejects.toBe(refusal);
  });
});
