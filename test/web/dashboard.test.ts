import { describe, expect, it } from 'vitest';
import type { MinuteView } from '../../src/shared/dashboard/minutes.js';
import { collectIds, forEachJob, MAX_BULK } from '../../src/web/src/dashboard/bulk';
import {
  BULK_ACTIONS,
  type JobQuery,
  listAddress,
  listPath,
  parseQuery,
} from '../../src/web/src/dashboard/job-query';
import { columnsOf, historyColumns, shortSpan } from '../../src/web/src/dashboard/series.js';
import { applyFrame, initialState } from '../../src/web/src/dashboard/state.js';
import { type Moment, momentOf, spansOf } from '../../src/web/src/dashboard/time-line.js';
import { firstView, streamOf, windowFor } from '../../src/web/src/dashboard/view.js';

const minute = (at: number, completed: number): MinuteView => ({
  minute: at,
  completed,
  failed: 0,
  cancelled: 0,
  wait: null,
  run: [100, 200],
});

describe('the state of the dashboard', () => {
  it('applies the sections of a frame, and drops old minutes', () => {
    const first = applyFrame(initialState(), {
      at: 60_000 * 100,
      states: { active: 2 },
      minutes: [minute(100, 1)],
    });
    const second = applyFrame(first, { at: 60_000 * 101, minutes: [minute(100, 5), minute(101, 1)] });
    expect(second.states).toEqual({ active: 2 });
    expect([...second.minutes.values()].map(({ completed }) => completed)).toEqual([5, 1]);
    const later = applyFrame(second, { at: 60_000 * 160, minutes: [minute(160, 9)] });
    expect([...later.minutes.keys()]).toEqual([101, 160]);
  });

  it('converts the last hour to columns, minute by minute', () => {
    const [x, done] = columnsOf(new Map([[100, minute(100, 4)]]), 60_000 * 100.5, [
      (of) => of?.completed ?? 0,
    ]);
    expect(x).toHaveLength(60);
    expect(x.at(-1)).toBe(6000);
    expect(done?.slice(-2)).toEqual([0, 4]);
  });

  it('converts a history to columns, with a gap where no hour was counted', () => {
    const none = [0, 0, 0, null, null, null, null] as const;
    const [x, done, waited] = historyColumns(
      {
        range: '24h',
        at: 3_600_000 * 100.5,
        hours: [
          [98, 7, 0, 0, 5, 9, null, null],
          [100, ...none],
        ],
      },
      [(hour) => hour[1], (hour) => hour[4]],
    );
    expect(x).toHaveLength(24);
    expect(x.at(-1)).toBe(360_000);
    expect(done?.slice(-4)).toEqual([null, 7, null, 0]);
    expect(waited?.slice(-4)).toEqual([null, 5, null, null]);
  });

  it.each([
    [0, '0 ms'],
    [0.5, '0.5 ms'],
    [1, '1 ms'],
    [999.4, '999 ms'],
    [999.6, '1 s'],
    [1500, '1.5 s'],
    [90_000, '1.5 min'],
    [5_400_000, '1.5 h'],
  ])('formats %f ms as %s', (ms, text) => expect(shortSpan(ms)).toBe(text));
});

describe('the window of rows', () => {
  it('stays the same while it contains the visible rows', () => {
    const now = { from: 30, rows: 50 };
    expect(windowFor(30, 79, now)).toBe(now);
    expect(windowFor(29, 40, now)).toEqual({ from: 9, rows: 52 });
    expect(windowFor(0, 10, now)).toEqual({ from: 0, rows: 31 });
    expect(windowFor(5000, 5900, now).rows).toBe(200);
  });

  it('is part of the address of the stream, with the filter', () => {
    const url = new URL(streamOf({ ...firstView(), q: 'a&b', name: 'steps' }), 'http://x');
    expect(Object.fromEntries(url.searchParams)).toEqual({
      sort: 'oldest',
      from: '0',
      rows: '50',
      name: 'steps',
      q: 'a&b',
    });
  });
});

describe('the timeline of a job', () => {
  it('contains the spans between the moments', () => {
    const moment = (event: string, data: Record<string, unknown>): Moment => {
      const found = momentOf(event, data);
      if (!found) throw new Error(`${event} is not a moment`);
      return found;
    };
    const moments = [
      moment('waiting', { attempt: 0, at: 10 }),
      moment('active', { attempt: 1, at: 15 }),
      moment('retrying', { attempt: 1, at: 40, error: { message: 'no luck' } }),
      moment('active', { attempt: 2, at: 50 }),
    ];
    expect(moments[2]?.text).toBe('Attempt 1 failed: no luck');
    expect(spansOf(moments)).toEqual([
      { kind: 'waited', from: 10, to: 15, label: 'Waited' },
      { kind: 'ran', from: 15, to: 40, label: 'Attempt 1' },
      { kind: 'waited', from: 40, to: 50, label: 'Between attempts' },
      { kind: 'ran', from: 50, label: 'Attempt 2' },
    ]);
    const ended = [...moments, moment('completed', { attempt: 2, at: 70 })];
    expect(spansOf(ended).at(-1)).toMatchObject({ kind: 'ran', to: 70 });
    expect(momentOf('progress', { attempt: 1, at: 20 })).toBeUndefined();
  });
});

describe('the list of jobs', () => {
  const none = parseQuery('');
  const now = 1_800_000_000_000;

  it('has a query that its address keeps, and ignores what is invalid', () => {
    const query: JobQuery = { state: 'waiting', name: 'steps', tag: 'a&b', owner: 'user:ada', period: 'day' };
    const address = listAddress(query);
    expect(parseQuery(address.slice(address.indexOf('?')))).toEqual(query);
    expect(listAddress(none)).toBe('dashboard/jobs');
    expect(parseQuery('?state=toString&period=1&tag=x')).toEqual({ ...none, tag: 'x' });
  });

  it('reads the states of a group, and of those only the ones that an action concerns', () => {
    const params = (path: string | undefined) => Array.from(new URL(`http://x/${path}`).searchParams);
    expect(params(listPath(none, now, { limit: 50 }))).toEqual([['limit', '50']]);
    expect(
      params(listPath({ ...none, state: 'waiting', period: 'hour' }, now, { limit: 1, cursor: 'c' })),
    ).toEqual([
      ['limit', '1'],
      ['state', 'waiting'],
      ['state', 'prioritized'],
      ['state', 'waiting-children'],
      ['from', String(now - 3_600_000)],
      ['cursor', 'c'],
    ]);
    const only = BULK_ACTIONS.retry;
    expect(params(listPath(none, now, { only, limit: 1 })).slice(1)).toEqual(
      only.map((state) => ['state', state]),
    );
    expect(listPath({ ...none, state: 'active' }, now, { only, limit: 1 })).toBeUndefined();
  });
});

describe('an action on many jobs', () => {
  const signal = new AbortController().signal;

  it('counts all pages, up to the maximum', async () => {
    const pages = [{ ids: ['a', 'b'], next: '1' }, { ids: [], next: '2' }, { ids: ['c'] }];
    expect(await collectIds(async (cursor) => pages[Number(cursor ?? 0)]!)).toEqual({
      ids: ['a', 'b', 'c'],
      more: false,
    });
    const many = { ids: Array.from({ length: 200 }, (_, i) => `${i}`), next: 'more' };
    const { ids, more } = await collectIds(async () => many);
    expect([ids.length, more]).toEqual([MAX_BULK, true]);
  });

  it('goes on after the error of one job, and ends at one that concerns all', async () => {
    const ids = Array.from({ length: 30 }, (_, i) => i % 10).map(String);
    let newest = { done: 0, failed: 0 };
    const note = (progress: typeof newest) => {
      newest = progress;
    };
    const act = async (id: string) => {
      if (id === '3') throw new Error('changed');
    };
    await forEachJob(ids, act, () => false, note, signal);
    expect(newest).toEqual({ done: 27, failed: 3 });
    await expect(forEachJob(ids, act, () => true, note, signal)).rejects.toThrow('changed');
    expect(newest.done).toBeLessThan(27);
  });

  it('can be stopped', async () => {
    const stop = new AbortController();
    let calls = 0;
    const act = async () => {
      if (++calls === 10) stop.abort();
    };
    await forEachJob(
      Array(1000).fill('a'),
      act,
      () => false,
      () => {},
      stop.signal,
    );
    expect(calls).toBeLessThan(20);
  });
});
