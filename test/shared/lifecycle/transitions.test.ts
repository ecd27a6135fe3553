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
      'a job that was taken',
      published({ rank: RANK.waiting }),
      { state: 'active', attempt: 1 },
      ['active 1'],
    ],
    ['a running job that was published as active', running, { state: 'active', attempt: 1 }, []],
    ['a running job without a published event', undefined, { state: 'active', attempt: 2 }, ['active 2']],
    ['a completed job', running, { state: 'completed', attempt: 1, failures: 1 }, ['completed 1']],
    ['a job that failed for good', running, { state: 'failed', attempt: 1, failures: 1 }, ['failed 1']],
    [
      'a job that failed and waits for its delay',
      running,
      { state: 'delayed', attempt: 1, failures: 1 },
      ['retrying 1'],
    ],
    [
      'a job that failed and was taken again',
      running,
      { state: 'active', attempt: 2, failures: 1 },
      ['retrying 1', 'active 2'],
    ],
    ['a job whose worker died', running, { attempt: 1, stalls: 1 }, ['stalled 1']],
    [
      'a job whose worker died, taken again',
      running,
      { state: 'active', attempt: 2, stalls: 1 },
      ['stalled 1', 'active 2'],
    ],
    [
      'a job whose worker died once too often',
      running,
      { state: 'failed', attempt: 1, stalls: 1 },
      ['failed 1'],
    ],
    ['a job that was handed back', running, { attempt: 1 }, ['waiting 1']],
    [
      'a job that was handed back, and told so',
      published({ attempt: 1, rank: RANK.waitingAgain }),
      { attempt: 1 },
      [],
    ],
    [
      'a job of which several runs went untold',
      running,
      { state: 'active', attempt: 4, failures: 3 },
      ['retrying 1', 'active 4'],
    ],
    [
      'a job that has ended, as told',
      published({ attempt: 1, rank: RANK.ended, end: 9 }),
      { state: 'completed', attempt: 1 },
      [],
    ],
    [
      'a failed job that was put back',
      published({ attempt: 1, rank: RANK.ended, end: 9, failures: 1 }),
      { attempt: 1, failures: 1 },
      ['waiting 1'],
    ],
    [
      'a failed job that was put back and runs',
      published({ attempt: 1, rank: RANK.ended, end: 9, failures: 1 }),
      { state: 'active', attempt: 2, failures: 1 },
      ['waiting 1', 'active 2'],
    ],
    [
      'a cancelled job that was put back and cancelled again before it ran',
      published({ rank: RANK.reopened }),
      { state: 'cancelled', failures: 2 },
      ['cancelled 0'],
    ],
    [
      'the same, as told',
      published({ rank: RANK.reopened + 1, end: 9 }),
      { state: 'cancelled', failures: 2 },
      [],
    ],
    [
      'the same, put back once more',
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
      'a job that waits as told, and its queue is paused',
      published({ rank: RANK.waiting }),
      { paused: true },
      ['queue 0 paused'],
    ],
    [
      'a job whose queue is paused, as told',
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
      'a job whose queue goes on without a worker',
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
      'a job that was asked to stop, as told',
      published({ attempt: 1, rank: RANK.active, cancelling: true }),
      { state: 'active', attempt: 1, cancelAsked: true },
      [],
    ],
    [
      'a job that was asked to stop before anybody told that it runs',
      published({ rank: RANK.waiting }),
      { state: 'active', attempt: 1, cancelAsked: true },
      ['active 1', 'queue 1 resumed cancelling'],
    ],
    [
      'a job that was asked to stop while it waits, and is taken out of its queue for that',
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
      'a job that was asked to stop, and did',
      published({ attempt: 1, rank: RANK.active, cancelling: true }),
      { state: 'cancelled', attempt: 1, failures: 1, cancelAsked: true },
      ['cancelled 1'],
    ],
    [
      'a job that was asked to stop, ended otherwise, and was put back',
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
      'a job whose queue goes on, and that was taken',
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
      'a failed job that was put back into a paused queue',
      published({ attempt: 1, rank: RANK.ended, end: 9, failures: 1, paused: true }),
      { attempt: 1, failures: 1, paused: true },
      ['waiting 1', 'queue 1 paused'],
    ],
    [
      'a job that ran and ended before anybody looked',
      published({ rank: RANK.waiting }),
      { state: 'completed', attempt: 1, failures: 1 },
      ['active 1', 'completed 1'],
    ],
    [
      'a job that was handed back, ran and ended before anybody looked',
      running,
      { state: 'completed', attempt: 2, failures: 1 },
      ['waiting 1', 'active 2', 'completed 2'],
    ],
    [
      'a job that failed, ran again and ended before anybody looked',
      running,
      { state: 'completed', attempt: 2, failures: 2 },
      ['retrying 1', 'active 2', 'completed 2'],
    ],
    [
      'a job that was found stalled too often by a worker, which did not run it',
      running,
      { state: 'failed', attempt: 2, failures: 1, stalls: 1, errorCode: 'stalled' },
      ['stalled 1', 'failed 2'],
    ],
    [
      'a job that ran, failed and waits for its next attempt before anybody looked',
      published({ rank: RANK.waiting }),
      { state: 'delayed', attempt: 1, failures: 1, dueAt: 90_000 },
      ['active 1', 'retrying 1'],
    ],
    [
      'a job whose worker died before it told anybody that it had begun',
      published({ rank: RANK.waiting }),
      { attempt: 1, stalls: 1 },
      ['active 1', 'stalled 1'],
    ],
    [
      'a job that was handed back twice, the second time before anybody looked',
      running,
      { attempt: 2 },
      ['waiting 1', 'active 2', 'waiting 2'],
    ],
    [
      'a job that failed, ran again and was put off before anybody looked',
      running,
      { state: 'delayed', attempt: 2, failures: 1, dueAt: 90_000 },
      ['retrying 1', 'active 2', 'delayed 2'],
    ],
    [
      'a job that its worker put off',
      running,
      { state: 'delayed', attempt: 1, dueAt: 90_000 },
      ['delayed 1'],
    ],
    [
      'a delayed job, as told',
      published({ rank: RANK.delayed, due: 90_000 }),
      { state: 'delayed', dueAt: 90_004 },
      [],
    ],
    [
      'a delayed job that was put off',
      published({ rank: RANK.delayed, due: 90_000 }),
      { state: 'delayed', dueAt: 95_000 },
      ['delayed 0'],
    ],
    [
      'a retry that was put off',
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
      'a retry whose time has come',
      published({ attempt: 1, rank: RANK.retrying, failures: 1, due: Date.now() - 10 }),
      { attempt: 1, failures: 1 },
      [],
    ],
    [
      'a job that was put off in the middle and waits again',
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

  it('marks the event that ends the channel and the one that reopens it', () => {
    expect(transitions(running, job({ state: 'completed', attempt: 1 }))[0]!.event.end).toBe(true);
    const ended = published({ attempt: 1, rank: RANK.ended, end: 9 });
    expect(transitions(ended, job({ attempt: 1 }))[0]!.fence).toMatchObject({ reopens: 9 });
  });
});
