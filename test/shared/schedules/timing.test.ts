import { describe, expect, it } from 'vitest';
import type { Timing } from '../../../src/shared/schedules/schedule.js';
import { nextDue, timingErrors, upcoming } from '../../../src/shared/schedules/timing.js';

const at = (text: string): number => Date.parse(text);
const cron = (expression: string, timeZone: string, more: Partial<Timing> = {}): Timing => ({
  cron: expression,
  timeZone,
  firstAt: 0,
  ...more,
});
const times = (timing: Timing, from: string, count: number): string[] => {
  const out: string[] = [];
  for (let after = at(from); out.length < count; ) {
    const due = nextDue(timing, after);
    if (due === undefined) break;
    out.push(new Date(due).toISOString().replace(/:00\.000Z$/, 'Z'));
    after = due;
  }
  return out;
};

describe('when a cron schedule is due', () => {
  it.each([
    [
      'at a local time, across the change to summer time',
      cron('0 9 * * *', 'Europe/Berlin'),
      '2026-03-27T12:00:00Z',
      ['2026-03-28T08:00Z', '2026-03-29T07:00Z', '2026-03-30T07:00Z'],
    ],
    [
      'at a local time, across the change to winter time',
      cron('0 9 * * *', 'America/New_York'),
      '2026-10-30T20:00:00Z',
      ['2026-10-31T13:00Z', '2026-11-01T14:00Z', '2026-11-02T14:00Z'],
    ],
    [
      'at a time that the change skips: an hour later on that day',
      cron('30 2 * * *', 'Europe/Berlin'),
      '2026-03-28T12:00:00Z',
      ['2026-03-29T01:30Z', '2026-03-30T00:30Z'],
    ],
    [
      'at a time that occurs twice: once',
      cron('30 2 * * *', 'Europe/Berlin'),
      '2026-10-24T12:00:00Z',
      ['2026-10-25T00:30Z', '2026-10-26T01:30Z'],
    ],
    [
      'every hour: also in the hour that occurs twice',
      cron('0 * * * *', 'Europe/Berlin'),
      '2026-10-24T23:30:00Z',
      ['2026-10-25T00:00Z', '2026-10-25T01:00Z', '2026-10-25T02:00Z'],
    ],
    ['on the 29th of February', cron('0 0 29 2 *', 'UTC'), '2026-01-01T00:00:00Z', ['2028-02-29T00:00Z']],
    [
      'not before it starts, and then at once',
      cron('0 * * * *', 'UTC', { startAt: '2026-01-01T10:00:00Z' }),
      '2026-01-01T05:30:00Z',
      ['2026-01-01T10:00Z', '2026-01-01T11:00Z'],
    ],
    [
      'not after its end',
      cron('0 * * * *', 'UTC', { endAt: '2026-01-01T07:00:00Z' }),
      '2026-01-01T05:30:00Z',
      ['2026-01-01T06:00Z', '2026-01-01T07:00Z'],
    ],
  ])('%s', (_what, timing, from, expected) => {
    const more = timing.endAt ? 1 : 0;
    expect(times(timing, from, expected.length + more)).toEqual(expected);
  });

  it('by seconds, with six fields', () => {
    const after = at('2026-01-01T00:00:00.500Z');
    expect(nextDue(cron('*/10 * * * * *', 'UTC'), after)).toBe(at('2026-01-01T00:00:10Z'));
  });
});

describe('when an interval is due', () => {
  const timing: Timing = { everyMs: 1000, firstAt: 5300 };
  it.each([
    ['before the first', 0, 5300],
    ['at the first', 5300, 6300],
    ['between two', 7400, 8300],
  ])('%s: in step with the first', (_what, after, expected) => {
    expect(nextDue(timing, after)).toBe(expected);
  });

  it('is the start first, even if the start has passed, and later skips missed runs', () => {
    expect(upcoming(timing, undefined, 9000)).toBe(5300);
    expect(upcoming(timing, 5300, 9000)).toBe(9300);
  });
});

describe('an invalid timing', () => {
  const now = at('2026-06-01T00:00:00Z');
  it.each<[string, Partial<Timing>, string, RegExp]>([
    ['neither', {}, 'cron', /either cron or everyMs/],
    ['both', { cron: '* * * * *', everyMs: 5000 }, 'cron', /either cron or everyMs/],
    ['three fields', { cron: '* * *' }, 'cron', /5 fields .* or 6/],
    ['seven fields', { cron: '* * * * * * *' }, 'cron', /5 fields .* or 6/],
    ['a minute that does not exist', { cron: '60 * * * *' }, 'cron', /not a cron expression: .*60.*0-59/],
    ['words', { cron: 'every day at ten o clock' }, 'cron', /not a cron expression/],
    [
      'a step of more minutes than an hour has',
      { cron: '*/90 * * * *' },
      'cron',
      /step .*too large.*everyMs/,
    ],
    ['a step of more hours than a day has', { cron: '0 */36 * * *' }, 'cron', /step .*too large/],
    ['a step beyond its range', { cron: '1-5/10 * * * *' }, 'cron', /range has only 5/],
    ['half a range', { cron: '*-5 * * * *' }, 'cron', /"\*-5" is not a valid minute/],
    ['a range of three', { cron: '5-10-15 * * * *' }, 'cron', /not a valid minute/],
    ['a number with a suffix', { cron: '5? * * * *' }, 'cron', /not a valid minute/],
    ['the second occurrence of any day', { cron: '0 0 * * ?#2' }, 'cron', /not a valid day of week/],
    ['a random time', { cron: 'H 3 * * *' }, 'cron', /random/],
    ['the 30th of February', { cron: '0 0 30 2 *' }, 'cron', /cron expression|no such day/],
    ['the 31st of short months', { cron: '0 0 31 2,4,6 *' }, 'cron', /no such day/],
    ['an unknown zone', { cron: '* * * * *', timeZone: 'Europe/Bonn' }, 'timeZone', /IANA/],
    ['an offset as a zone', { cron: '* * * * *', timeZone: '+02:00' }, 'timeZone', /IANA/],
    ['a zone for an interval', { everyMs: 5000, timeZone: 'UTC' }, 'timeZone', /only valid with cron/],
    ['an end in the past', { everyMs: 5000, endAt: '2026-01-01T00:00:00Z' }, 'endAt', /in the future/],
    [
      'an end before the start',
      { everyMs: 5000, startAt: '2026-07-02T00:00:00Z', endAt: '2026-07-01T00:00:00Z' },
      'endAt',
      /after startAt/,
    ],
    [
      'an end before the first due time',
      { cron: '0 0 1 1 *', endAt: '2026-07-01T00:00:00Z' },
      'cron',
      /never due before endAt/,
    ],
  ])('%s', (_what, timing, field, detail) => {
    const errors = timingErrors({ firstAt: now, ...timing }, now);
    expect(errors).toEqual([{ field, detail: expect.stringMatching(detail) }]);
  });

  it.each(['*/5 * * * *', '0 0 9 * * MON-FRI', '0 9 * * 1#1', '0 0 L * *', '0 0 * * THU'])(
    'is not %s',
    (expression) => {
      expect(timingErrors({ firstAt: now, cron: expression, timeZone: 'Asia/Tokyo' }, now)).toEqual([]);
    },
  );
});
