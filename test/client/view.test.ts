import { describe, expect, it } from 'vitest';
import type { JobEvent } from '../../src/client/index.js';
import {
  announcement,
  failureText,
  liveLabel,
  positionLabel,
  stateLabel,
} from '../../src/client/labels/job-labels.js';
import { applyJobEvent, emptyJob, type WatchedJob } from '../../src/client/view.js';

const about = { jobId: 'x.1', attempt: 1, at: 0, name: 'steps' };
const event = (name: string, data: object = {}): JobEvent =>
  ({ event: name, id: 'e-1', data: { ...about, ...data } }) as JobEvent;
const seen = (...events: JobEvent[]): WatchedJob => events.reduce(applyJobEvent, emptyJob('x.1'));
const RUNNING = [event('waiting', { attempt: 0 }), event('active', { attempts: 2 })];
const progress = (percent: number | null) => event('progress', { percent });

describe('a watched job', () => {
  it('has no state while there is no job: a component before its start is not connecting', () => {
    for (const text of [liveLabel(emptyJob('')), announcement(emptyJob(''), 'Import')]) expect(text).toBe('');
    expect(liveLabel(emptyJob('x.1'))).toBe('Connecting');
  });

  it('has the error of its end, not of an attempt that is repeated', () => {
    const error = { message: 'no' };
    expect(failureText(seen(...RUNNING, event('retrying', { attempts: 2, error })))).toBe('');
    expect(failureText(seen(...RUNNING, event('failed', { error })))).toBe('no');
  });

  it('follows its events', () => {
    expect(seen()).toMatchObject({ state: 'unknown', percent: null });
    expect(seen(...RUNNING, progress(40))).toMatchObject({
      name: 'steps',
      state: 'active',
      percent: 40,
      attempt: 1,
      attempts: 2,
    });
    const failed = seen(...RUNNING, progress(40), event('failed', { error: { message: 'no' } }));
    expect(failed).toMatchObject({ state: 'failed', percent: 40, error: { message: 'no' } });
    expect(applyJobEvent(failed, event('waiting', { attempt: 2 }))).toMatchObject({
      state: 'waiting',
      percent: null,
      error: undefined,
    });
    expect(seen(...RUNNING, event('completed', { result: 7 }))).toMatchObject({ percent: 100, result: 7 });
  });

  it('starts each attempt fresh, but keeps the log', () => {
    const job = seen(
      ...RUNNING,
      event('log', { message: 'one' }),
      event('partial', { text: 'a' }),
      event('partial', { text: 'b' }),
      event('retrying', { attempts: 2, error: { message: 'no luck' }, nextAttemptAt: 5 }),
    );
    expect(job).toMatchObject({ text: 'ab', state: 'retrying', nextAt: 5, error: { message: 'no luck' } });
    const again = applyJobEvent(job, event('active', { attempt: 2, attempts: 2 }));
    expect(again).toMatchObject({ text: '', error: undefined, attempt: 2, nextAt: undefined });
    expect(again.logs.map(({ message }) => message)).toEqual(['one']);
  });

  it('is cleared by a reset, and keeps the 500 newest log lines', () => {
    const lines = Array.from({ length: 600 }, (_, i) => event('log', { message: String(i) }));
    const job = seen(...RUNNING, ...lines);
    expect(job.logs).toHaveLength(500);
    expect(job.logs.at(-1)?.message).toBe('599');
    expect(applyJobEvent({ ...job, status: 'live' }, event('reset'))).toMatchObject({
      state: 'unknown',
      status: 'live',
      logs: [],
    });
  });

  it('ignores events that the job named itself', () => {
    expect(seen(...RUNNING, event('stars', { data: 5 }))).toMatchObject({ state: 'active' });
  });
});

describe('announcements for screen readers', () => {
  it('include each quarter and state, not each percent', () => {
    const announcements = new Set<string>();
    let job = seen(...RUNNING);
    for (let percent = 0; percent <= 100; percent++) {
      job = applyJobEvent(job, progress(percent));
      announcements.add(announcement(job, 'Import'));
    }
    announcements.add(announcement(applyJobEvent(job, event('completed', { result: 1 })), 'Import'));
    expect([...announcements]).toEqual([
      'Import: Running',
      'Import: Running, 25 percent',
      'Import: Running, 50 percent',
      'Import: Running, 75 percent',
      'Import: Running, 100 percent',
      'Import: Completed',
    ]);
    expect(announcement(applyJobEvent(job, event('failed', { error: { message: 'why' } })), 'Import')).toBe(
      'Import: Failed: why',
    );
  });

  it('describe every state', () => {
    expect(stateLabel({ ...seen(), state: 'waiting', paused: true })).toBe('Waiting (paused)');
    expect(stateLabel(seen(event('delayed', { until: 1 })))).toBe('Delayed');
    expect(stateLabel({ ...seen(), state: 'waiting', noWorker: true })).toBe('Waiting: no workers running');
  });

  it('describe a job that is being cancelled, until it ends or starts again', () => {
    const asked = seen(...RUNNING, progress(40), event('queue', { paused: false, cancelling: true }));
    expect(asked).toMatchObject({ state: 'active', percent: 40 });
    expect(stateLabel(asked)).toBe('Cancelling');
    for (const [name, label] of [
      ['cancelled', 'Cancelled'],
      ['completed', 'Completed'],
      ['failed', 'Failed'],
      ['waiting', 'Waiting'],
    ] as const) {
      const after = applyJobEvent(asked, event(name, { error: { message: 'why' } }));
      expect(stateLabel(after)).toBe(label);
    }
  });

  it.each([
    [{ position: 0 }, undefined, 'next'],
    [{ position: 1 }, 400, '1 job before it, begins in about 1 s'],
    [{ position: 3 }, 118_000, '3 jobs before it, begins in about 2 min'],
    [{ position: 1000, orMore: true as const }, undefined, 'at least 1,000 jobs before it'],
    [{}, 5000, ''],
  ])('describe the position %o of a waiting job', (position, beginsInMs, label) => {
    const waiting = { ...seen(event('waiting'), event('queue', { paused: false, ...position })) };
    expect(positionLabel(waiting, { beginsInMs })).toBe(label);
    const live = { ...waiting, status: 'live' as const };
    expect(liveLabel(live, { beginsInMs })).toBe(label ? `Waiting, ${label}` : 'Waiting');
    const running = applyJobEvent(waiting, event('active', { attempts: 1 }));
    expect(positionLabel(running)).toBe('');
    expect(positionLabel(applyJobEvent(waiting, event('queue', { paused: true })))).toBe('');
  });

  it.each([
    [undefined, 'Running'],
    [5999, 'Running, stalled for 5 s'],
    [125_000, 'Running, stalled for 2 min 5 s'],
    [3_600_000, 'Running, stalled for 1 h 0 min'],
    [90_061_000, 'Running, stalled for 25 h 1 min'],
  ])('describe a job without progress for %s ms', (stalledMs, label) => {
    const job: WatchedJob = { ...seen(...RUNNING), status: 'live' };
    expect(liveLabel(job, { stalledMs })).toBe(label);
    expect(liveLabel({ ...job, status: 'stale' }, { stalledMs })).toBe(
      'Running (disconnected, reconnecting)',
    );
    expect(liveLabel({ ...job, state: 'completed' }, { stalledMs })).toBe('Completed');
  });
});
