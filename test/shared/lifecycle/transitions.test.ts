import { describe, expect, it } from 'vitest';
import { type PublishedState, RANK } from '../../../src/shared/lifecycle/published.js';
import type { JobSnapshot } from '../../../src/shared/lifecycle/snapshot.js';
import { transitions } from '../../../src/shared/lifecycle/transitions.js';

const job = (changes: Partial<JobSnapshot>): JobSnapshot => ({
  id: '1',
  name: 'steps',
  state: 'waiting',
  attempt: 0,
  attempts: 3,
  failures: 0,
  stalls: 0,
  createdAt: 1,
  settings: {},
  ...changes,
});
const published = (changes: Partial<PublishedState>): PublishedState => ({
  attempt: 0,
  rank: -1,
  failures: 0,
  stalls: 0,
  end: undefined,
  ...changes,
});
const names = (from: PublishedState | undefined, to: JobSnapshot): string[] =>
  transitions(from, to).map(({ event, fence: { attempt } }) => {
    const { paused, noWorker, cancelling } = event.data as Record<string, boolean | undefined>;
    const queue =
      paused === undefined
        ? []
        : [
            paused ? 'paused' : 'resumed',
            ...(noWorker ? ['unserved'] : []),
            ...(cancelling ? ['cancelling'] : []),
          ];
    return [event.event, attempt, ...queue].join(' ');
  });

const running = published({ attempt: 1, rank: RANK.active });

describe('the events that a channel is missing', () => {
  it.each<[string, PublishedState | undefined, Partial<JobSnapshot>, string[]]>([
    ['a new job', undefined, {}, ['waiting 0']],
    ['a new job that is delayed', undefined, { state: 'delayed', dueAt: 5 }, ['delayed 0']],
    ['a waiting job that was published as waiting', published({ rank: RANK.waiting }), {}, []],
    ['a delayed job that is due', published({ rank: RANK.delayed }), {}, ['waiting 0']],
    [
      'a job that a worker took',
      published({ rank: RANK.waiting }),
      { state: 'active', attempt: 1 },
      ['active 1'],
    ],
    ['a running job that was published as active', running, { state: 'active', attempt: 1 }, []],
    ['a running job without published events', undefined, { state: 'active', attempt: 2 }, ['active 2']],
    ['a completed job', running, { state: 'completed', attempt: 1, failures: 1 }, ['completed 1']],
    [
      'a job that failed in its last attempt',
      running,
      { state: 'failed', attempt: 1, failures: 1 },
      ['failed 1'],
    ],
    [
      'a job that failed and waits for its next attempt',
      running,
      { state: 'delayed', attempt: 1, failures: 1 },
      ['retrying 1'],
    ],
    [
      'a job that failed and runs again',
      running,
      { state: 'active', attempt: 2, failures: 1 },
      ['retrying 1', 'active 2'],
    ],
    ['a job whose worker died', running, { attempt: 1, stalls: 1 }, ['stalled 1']],
    [
      'a job that runs again after its worker died',
      running,
      { state: 'active', attempt: 2, stalls: 1 },
      ['stalled 1', 'active 2'],
    ],
    [
      'a job that failed because its worker died too often',
      running,
      { state: 'failed', attempt: 1, stalls: 1 },
      ['failed 1'],
    ],
    [
      'a job whose worker died, and that was cancelled before it ran again',
      running,
      { state: 'cancelled', attempt: 1, failures: 1, stalls: 1 },
      ['stalled 1', 'cancelled 1'],
    ],
    ['a job that was handed back', running, { attempt: 1 }, ['waiting 1']],
    [
      'a job that was published as handed back',
      published({ attempt: 1, rank: RANK.waitingAgain }),
      { attempt: 1 },
      [],
    ],
    [
      'a job with several unpublished runs',
      running,
      { state: 'active', attempt: 4, failures: 3 },
      ['retrying 1', 'active 4'],
    ],
    [
      'a job that was published as ended',
      published({ attempt: 1, rank: RANK.ended, end: 9 }),
      { state: 'completed', attempt: 1 },
      [],
    ],
    [
      'a failed job that was retried',
      published({ attempt: 1, rank: RANK.ended, end: 9, failures: 1 }),
      { attempt: 1, failures: 1 },
      ['waiting 1'],
    ],
    [
      'a failed job that was retried and runs',
      published({ attempt: 1, rank: RANK.ended, end: 9, failures: 1 }),
      { state: 'active', attempt: 2, failures: 1 },
      ['waiting 1', 'active 2'],
    ],
    [
      'a cancelled job that was retried and cancelled again before it ran',
      published({ rank: RANK.reopened }),
      { state: 'cancelled', failures: 2 },
      ['cancelled 0'],
    ],
    [
      'a job that was cancelled twice, as published',
      published({ rank: RANK.reopened + 1, end: 9 }),
      { state: 'cancelled', failures: 2 },
      [],
    ],
    [
      'a cancelled job that was retried, cancelled and retried again',
      published({ rank: RANK.reopened + 1, end: 9 }),
      { failures: 2 },
      ['waiting 0'],
    ],
    [
      'a job that was retried twice, as published',
      published({ rank: RANK.reopened + 2 }),
      { failures: 2 },
      [],
    ],
    [
      'a job that was published as waiting, in a paused queue',
      published({ rank: RANK.waiting }),
      { paused: true },
      ['queue 0 paused'],
    ],
    [
      'a job whose queue was published as paused',
      published({ rank: RANK.waiting, paused: true }),
      { paused: true },
      [],
    ],
    [
      'a job without a worker',
      published({ rank: RANK.waiting }),
      { noWorker: true },
      ['queue 0 resumed unserved'],
    ],
    [
      'a job that has a worker again',
      published({ rank: RANK.waiting, noWorker: true }),
      { noWorker: false },
      ['queue 0 resumed'],
    ],
    ['a job with an unknown number of workers', published({ rank: RANK.waiting, noWorker: true }), {}, []],
    [
      'a paused job without a worker',
      undefined,
      { paused: true, noWorker: true },
      ['waiting 0', 'queue 0 paused unserved'],
    ],
    [
      'a job whose queue was resumed without a worker',
      published({ rank: RANK.waiting, paused: true, noWorker: true }),
      { noWorker: true },
      ['queue 0 resumed unserved'],
    ],
    [
      'a job that runs and was asked to stop',
      running,
      { state: 'active', attempt: 1, cancelAsked: true },
      ['queue 1 resumed cancelling'],
    ],
    [
      'a job that was published as asked to stop',
      published({ attempt: 1, rank: RANK.active, cancelling: true }),
      { state: 'active', attempt: 1, cancelAsked: true },
      [],
    ],
    [
      'a job that was asked to stop before its start was published',
      published({ rank: RANK.waiting }),
      { state: 'active', attempt: 1, cancelAsked: true },
      ['active 1', 'queue 1 resumed cancelling'],
    ],
    [
      'a waiting job that was asked to stop and was taken out of its queue',
      published({ attempt: 1, rank: RANK.retrying, failures: 1 }),
      { state: 'active', attempt: 1, failures: 1, cancelAsked: true },
      [],
    ],
    [
      'a parent that was asked to stop while it waits for its children',
      published({ attempt: 1, rank: RANK.waitingAgain }),
      { state: 'waiting-children', attempt: 1, cancelAsked: true },
      ['queue 1 resumed cancelling'],
    ],
    [
      'a job that was asked to stop and has stopped',
      published({ attempt: 1, rank: RANK.active, cancelling: true }),
      { state: 'cancelled', attempt: 1, failures: 1, cancelAsked: true },
      ['cancelled 1'],
    ],
    [
      'a job that was asked to stop, ended for another reason, and was retried',
      published({ attempt: 1, rank: RANK.ended, cancelling: true, end: 9 }),
      { attempt: 1, failures: 1 },
      ['waiting 1'],
    ],
    [
      'a job whose queue was resumed',
      published({ rank: RANK.waiting, paused: true }),
      {},
      ['queue 0 resumed'],
    ],
    [
      'a job that runs after its queue was resumed',
      published({ rank: RANK.waiting, paused: true }),
      { state: 'active', attempt: 1 },
      ['queue 0 resumed', 'active 1'],
    ],
    [
      'a job that failed and waits in a paused queue',
      running,
      { state: 'delayed', attempt: 1, failures: 1, paused: true },
      ['retrying 1', 'queue 1 paused'],
    ],
    ['a new job in a paused queue', undefined, { paused: true }, ['waiting 0', 'queue 0 paused']],
    [
      'a job that was cancelled in a paused queue',
      published({ rank: RANK.waiting, paused: true }),
      { state: 'cancelled' },
      ['cancelled 0'],
    ],
    [
      'a job that is being cancelled in a paused queue',
      published({ rank: RANK.waiting, paused: true }),
      { state: 'active' },
      [],
    ],
    [
      'a job that is being cancelled in a paused queue, between two attempts',
      published({ attempt: 1, rank: RANK.retrying, failures: 1, paused: true }),
      { state: 'active', attempt: 1, failures: 1 },
      [],
    ],
    [
      'a failed job that was retried into a paused queue',
      published({ attempt: 1, rank: RANK.ended, end: 9, failures: 1, paused: true }),
      { attempt: 1, failures: 1, paused: true },
      ['waiting 1', 'queue 1 paused'],
    ],
    [
      'a job with an unpublished run and end',
      published({ rank: RANK.waiting }),
      { state: 'completed', attempt: 1, failures: 1 },
      ['active 1', 'completed 1'],
    ],
    [
      'a job that was handed back, with an unpublished run and end',
      running,
      { state: 'completed', attempt: 2, failures: 1 },
      ['waiting 1', 'active 2', 'completed 2'],
    ],
    [
      'a job that failed, with another unpublished run and end',
      running,
      { state: 'completed', attempt: 2, failures: 2 },
      ['retrying 1', 'active 2', 'completed 2'],
    ],
    [
      'a job that a worker failed without running it, because it stalled too often',
      running,
      { state: 'failed', attempt: 2, failures: 1, stalls: 1, errorCode: 'stalled' },
      ['stalled 1', 'failed 2'],
    ],
    [
      'a job with an unpublished failed run that waits for its next attempt',
      published({ rank: RANK.waiting }),
      { state: 'delayed', attempt: 1, failures: 1, dueAt: 90_000 },
      ['active 1', 'retrying 1'],
    ],
    [
      'a job whose worker died before the start was published',
      published({ rank: RANK.waiting }),
      { attempt: 1, stalls: 1 },
      ['active 1', 'stalled 1'],
    ],
    [
      'a job that was handed back twice, the second time unpublished',
      running,
      { attempt: 2 },
      ['waiting 1', 'active 2', 'waiting 2'],
    ],
    [
      'a job that failed, with another unpublished run that was postponed',
      running,
      { state: 'delayed', attempt: 2, failures: 1, dueAt: 90_000 },
      ['retrying 1', 'active 2', 'delayed 2'],
    ],
    [
      'a job that its worker postponed',
      running,
      { state: 'delayed', attempt: 1, dueAt: 90_000 },
      ['delayed 1'],
    ],
    [
      'a job that was published as delayed',
      published({ rank: RANK.delayed, due: 90_000 }),
      { state: 'delayed', dueAt: 90_004 },
      [],
    ],
    [
      'a delayed job that was postponed',
      published({ rank: RANK.delayed, due: 90_000 }),
      { state: 'delayed', dueAt: 95_000 },
      ['delayed 0'],
    ],
    [
      'a retry that was postponed',
      published({ attempt: 1, rank: RANK.retrying, failures: 1, due: 90_000 }),
      { state: 'delayed', attempt: 1, failures: 1, dueAt: 95_000 },
      ['delayed 1'],
    ],
    [
      'a retry that was brought forward',
      published({ attempt: 1, rank: RANK.retrying, failures: 1, due: Date.now() + 60_000 }),
      { attempt: 1, failures: 1 },
      ['waiting 1'],
    ],
    [
      'a retry that is due',
      published({ attempt: 1, rank: RANK.retrying, failures: 1, due: Date.now() - 10 }),
      { attempt: 1, failures: 1 },
      [],
    ],
    [
      'a job that was postponed while it ran and waits again',
      published({ attempt: 1, rank: RANK.delayed, due: 90_000 }),
      { state: 'prioritized', attempt: 1 },
      ['waiting 1'],
    ],
  ])('%s', (_what, from, changes, expected) => {
    expect(names(from, job(changes))).toEqual(expected);
  });

  it('publishes a due time once, with the time that was published before as its guard', () => {
    const put = job({ state: 'delayed', dueAt: 95_000 });
    expect(transitions(published({ rank: RANK.delayed, due: 90_000 }), put)[0]!.fence).toMatchObject({
      attempt: 0,
      rank: RANK.delayed,
      guard: { field: 'due', from: 90_000, to: 95_000 },
    });
  });

  it('keeps the published position of a waiting job until there is a new fact about its queue', () => {
    const waiting = published({ rank: RANK.waiting, place: 5 });
    expect(transitions(waiting, job({}))).toEqual([]);
    const [paused] = transitions(waiting, job({ paused: true }));
    expect(paused!.fence.guard).toEqual({ field: 'paused', from: '40', to: '1' });
    expect(paused!.event.data).toEqual({
      jobId: '1',
      attempt: 0,
      paused: true,
      noWorker: false,
      at: expect.any(Number),
    });
  });

  it('marks the event that ends the channel and the one that reopens it', () => {
    expect(transitions(running, job({ state: 'completed', attempt: 1 }))[0]!.event.end).toBe(true);
    const ended = published({ attempt: 1, rank: RANK.ended, end: 9 });
    expect(transitions(ended, job({ attempt: 1 }))[0]!.fence).toMatchObject({ reopens: 9 });
  });
});
