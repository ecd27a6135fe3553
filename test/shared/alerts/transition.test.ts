import { describe, expect, it } from 'vitest';
import type { AlertState, Reading } from '../../../src/shared/alerts/alert.js';
import { alertBody } from '../../../src/shared/alerts/message.js';
import { claimed, delivered, nextState } from '../../../src/shared/alerts/transition.js';

const CHECK_MS = 10;
const REPEAT_MS = 1000;
const over = { over: true, clear: false };
const between = { over: false, clear: false };
const clear = { over: false, clear: true };

/** An alert that is checked at chosen times, with a receiver that accepts or refuses messages. */
function watch(forMs = 0, accepts: () => boolean = () => true) {
  let state: AlertState | undefined;
  let ids = 0;
  const sent: string[] = [];
  return {
    sent,
    state: () => state,
    check(now: number, value: typeof over | undefined) {
      const base = {
        key: 'waiting-jobs:a',
        kind: 'waiting-jobs',
        subject: 'a',
        text: `at ${now}`,
        forMs,
      } as const;
      const reading: Reading | undefined = value && { ...base, ...value };
      const rules = { checkMs: CHECK_MS, repeatMs: REPEAT_MS, now, newId: () => `id${++ids}` };
      state = nextState(state, reading, rules);
      const { pending } = state ?? {};
      if (!state || !pending || pending.at > now) return;
      sent.push(`${now} ${pending.what} ${pending.id}`);
      state = accepts() ? delivered(state, pending.what, now) : claimed(state, now, CHECK_MS);
    },
  };
}

describe('an alert', () => {
  it('is sent once, repeated after a time, and resolved once the value has been well below the limit for a while', () => {
    const alert = watch();
    for (const at of [0, 10, 20]) alert.check(at, over);
    for (const at of [30, 40, 100]) alert.check(at, between);
    for (const at of [110, 120, 140]) alert.check(at, clear);
    alert.check(145, over);
    for (const at of [150, 160, 180]) alert.check(at, clear);
    expect(alert.sent).toEqual(['0 firing id1']);
    alert.check(190, clear);
    expect(alert.sent).toEqual(['0 firing id1', '190 resolved id2']);
    expect(alert.state()).toMatchObject({ firing: false, sentAt: 0 });
    alert.check(1000, clear);
    expect(alert.state()).toBeUndefined();
  });

  it('is quiet while it flaps: at most one message in the repetition time, and no resolution of what was not sent', () => {
    const alert = watch();
    for (let at = 0; at < 990; at += 10) alert.check(at, at % 100 < 50 ? over : clear);
    expect(alert.sent.filter((line) => line.includes('firing'))).toHaveLength(1);
    expect(alert.sent.filter((line) => line.includes('resolved'))).toHaveLength(1);
    alert.check(1000, over);
    alert.check(1999, over);
    alert.check(2000, over);
    expect(alert.sent.slice(2)).toEqual(['1000 firing id3', '2000 firing id4']);
  });

  it('waits until the limit has been exceeded long enough, without a gap', () => {
    const alert = watch(50);
    for (const at of [0, 40]) alert.check(at, over);
    alert.check(45, clear);
    for (const at of [50, 90]) alert.check(at, over);
    expect(alert.sent).toEqual([]);
    alert.check(100, over);
    expect(alert.sent).toEqual(['100 firing id1']);
    expect(alert.state()).toMatchObject({ since: 50 });
  });

  it('is tried again with growing delays and the same id, and forgotten if it ends before it was delivered', () => {
    const alert = watch(0, () => false);
    for (let at = 0; at < 300; at += 10) alert.check(at, over);
    expect(alert.sent).toEqual([0, 10, 30, 70, 150].map((at) => `${at} firing id1`));
    for (let at = 300; at <= 340; at += 10) alert.check(at, undefined);
    expect(alert.state()).toBeUndefined();
    expect(alert.sent).toHaveLength(5);
  });

  it('gives up a resolution that nobody accepts', () => {
    let accepts = true;
    const alert = watch(0, () => accepts);
    alert.check(0, over);
    accepts = false;
    for (let at = 10; at < 100_000; at += 10) alert.check(at, clear);
    expect(alert.sent.filter((line) => line.includes('resolved'))).toHaveLength(12);
    expect(alert.state()).toBeUndefined();
  });
});

it('has a text without markup, that says what, how much, since when and what to do', () => {
  const state = { key: 'k', kind: 'failed-jobs', subject: '<!channel>', firing: true, since: 0 } as const;
  const text = '90 % of the 10 <!channel> jobs that ended in the last 10 min failed (limit 20 %).';
  const body = alertBody(
    { ...state, text },
    { id: 'a1', what: 'firing' },
    60_000,
    'https://example.org/jobs',
  );
  expect(JSON.parse(body)).toEqual({
    text: 'Headway alert: 90 % of the 10 &lt;!channel&gt; jobs that ended in the last 10 min failed (limit 20 %). Since 1970-01-01T00:00:00Z.\nWhat to do: docs/operations/on-call.md#failed-jobs\nhttps://example.org/jobs/dashboard',
    alert: {
      id: 'a1',
      key: 'k',
      kind: 'failed-jobs',
      subject: '<!channel>',
      state: 'firing',
      text,
      since: '1970-01-01T00:00:00Z',
      at: '1970-01-01T00:01:00Z',
      runbook: 'docs/operations/on-call.md#failed-jobs',
      dashboard: 'https://example.org/jobs/dashboard',
    },
  });
});
