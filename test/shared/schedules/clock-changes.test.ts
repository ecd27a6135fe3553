import { describe, expect, it } from 'vitest';
import { nextDue } from '../../../src/shared/schedules/timing.js';

/*
 * The expected times do not come from src: Node's ICU shows the local time of each minute around a clock change, and the
 * readings are compared with the hour and minute that an expression names.
 */
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const WEEK = 7 * 24 * HOUR;
const FROM = Date.UTC(2024, 0, 1);
const UNTIL = Date.UTC(2028, 0, 1);

/** A reading of a clock: a day and a minute of that day, such as `31/03/2024` and 150 for 02:30. */
interface Reading {
  day: string;
  minute: number;
}

/** A function that reads the clock of a zone at a time in ms. */
type Clock = (at: number) => Reading;

const clocks = new Map<string, Clock>();
function clockOf(timeZone: string): Clock {
  const clock = clocks.get(timeZone) ?? makeClock(timeZone);
  clocks.set(timeZone, clock);
  return clock;
}

function makeClock(timeZone: string): Clock {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    dateStyle: 'short',
    timeStyle: 'short',
    hourCycle: 'h23',
  });
  return (at) => {
    const [day = '', time = ''] = format.format(at).split(', ');
    return { day, minute: Number(time.slice(0, 2)) * 60 + Number(time.slice(3, 5)) };
  };
}

interface Change {
  zone: string;
  /** The first time after the change. */
  at: number;
  /** By how many minutes the clock was put forward; negative when it was put back. */
  by: number;
}

function changesOf(zone: string): Change[] {
  const clock = clockOf(zone);
  // The minutes by which the clock is ahead of UTC, without whole days.
  const ahead = (at: number): number => (clock(at).minute - Math.floor(at / MINUTE) + 1440 * 1e6) % 1440;
  const out: Change[] = [];
  let before = ahead(FROM);
  // No zone has two changes within a week.
  for (let week = FROM; week < UNTIL; week += WEEK) {
    const after = ahead(week + WEEK);
    if (after === before) continue;
    // The last minute before the change, and the first one after it.
    let [last, at] = [week, week + WEEK];
    while (at - last > MINUTE) {
      const middle = last + Math.floor((at - last) / 2 / MINUTE) * MINUTE;
      if (ahead(middle) === before) last = middle;
      else at = middle;
    }
    out.push({ zone, at, by: ((after - before + 1440 + 720) % 1440) - 720 });
    before = after;
  }
  return out.filter(({ at }) => at < UNTIL);
}

const changes = Intl.supportedValuesOf('timeZone').flatMap(changesOf);

type Readings = Array<{ time: number; minute: number; again: boolean }>;

const inUtc = clockOf('UTC');
/** Returns a key for a change: the same for zones that make the same change at the same time. */
const changeKey = ({ zone, at, by }: Change): string =>
  `${at} ${by} ${clockOf(zone)(at - MINUTE).minute - inUtc(at).minute}`;

/** The readings around each change, by its key; see {@link read}. */
const known = new Map<string, Readings>();
function readingsOf(change: Change): Readings {
  const key = changeKey(change);
  const readings = known.get(key) ?? read(change);
  known.set(key, readings);
  return readings;
}

/** Reads the clock each minute from 14 hours before a change to 5 hours after it. `again` marks a repeated reading. */
function read({ zone, at }: Change): Readings {
  const clock = clockOf(zone);
  const seen = new Set<string>();
  const out = [];
  for (let time = at - 14 * HOUR; time < at + 5 * HOUR; time += MINUTE) {
    const { day, minute } = clock(time);
    out.push({ time, minute, again: seen.has(`${day} ${minute}`) });
    seen.add(`${day} ${minute}`);
  }
  return out;
}

/** Returns the times up to 4 hours after a change at which an expression is due. */
function expectedTimes(
  { at, by }: Change,
  readings: Readings,
  matches: (minute: number) => boolean,
  everyHour: boolean,
): number[] {
  const out = new Set<number>();
  for (const { time, minute, again } of readings) {
    if (matches(minute) && (everyHour || !again)) out.add(time);
  }
  if (!everyHour) {
    // The skipped readings follow those before the change.
    const last = readings.find(({ time }) => time === at - MINUTE)!.minute;
    for (let i = 1; i <= by; i++) if (matches((last + i) % 1440)) out.add(at + (i - 1) * MINUTE);
  }
  return [...out].filter((time) => time < at + 4 * HOUR).sort((a, b) => a - b);
}

const show = (times: number[]): string[] => times.map((time) => new Date(time).toISOString());

function actualTimes(cron: string, { zone, at }: Change, from: number): number[] {
  const out: number[] = [];
  for (let after = from - 1; ; ) {
    const due = nextDue({ cron, timeZone: zone, firstAt: 0 }, after);
    if (due === undefined || due >= at + 4 * HOUR) return out;
    out.push(due);
    after = due;
  }
}

const expressions: Array<[cron: string, matches: (minute: number) => boolean, everyHour: boolean]> = [
  ['0 * * * *', (minute) => minute % 60 === 0, true],
  ['*/20 * * * *', (minute) => minute % 20 === 0, true],
  ['45 */2 * * *', (minute) => minute % 120 === 45, false],
  ['0,30 0-4,22,23 * * *', (minute) => minute % 30 === 0 && (minute < 300 || minute >= 1320), false],
];

describe('a cron schedule around the clock changes of 2024 to 2027', () => {
  it('covers changes by half an hour, one hour and two hours, and changes at midnight', () => {
    expect(changes.length).toBeGreaterThan(800);
    const bys = new Set(changes.map(({ by }) => Math.abs(by)));
    expect([...bys]).toEqual(expect.arrayContaining([30, 60, 120]));
    const zones = new Set(changes.map(({ zone }) => zone));
    for (const zone of ['Africa/Cairo', 'America/Santiago', 'Asia/Beirut', 'Australia/Lord_Howe']) {
      expect(zones).toContain(zone);
    }
  });

  /** The same for changes that differ only in their date, unless a month ends close to one of them. */
  const kindOf = ({ zone, at, by }: Change): string => {
    const clock = clockOf(zone);
    const { minute } = clock(at - MINUTE);
    const monthEnds = clock(at - 14 * HOUR).day.slice(3) !== clock(at + 5 * HOUR).day.slice(3);
    return `${by} ${minute} ${minute - inUtc(at).minute} ${monthEnds}`;
  };
  const oneOfEachKind = [...new Map(changes.map((change) => [kindOf(change), change])).values()];

  it('is due at the right times, from any starting point', () => {
    for (const change of oneOfEachKind) {
      const readings = readingsOf(change);
      for (const [cron, matches, everyHour] of expressions) {
        const expected = expectedTimes(change, readings, matches, everyHour);
        const begin = change.at - 200 * MINUTE;
        const where = `${cron} in ${change.zone}`;
        expect(show(actualTimes(cron, change, begin)), where).toEqual(
          show(expected.filter((time) => time >= begin)),
        );
        // Also starts shortly before, during and after the skipped or repeated time, and checks the first due time.
        for (const minutes of [-1, 0, 17, 61, 130]) {
          const from = change.at + minutes * MINUTE;
          const due = nextDue({ cron, timeZone: change.zone, firstAt: 0 }, from - 1);
          const soon = due !== undefined && due < change.at + 4 * HOUR ? [due] : [];
          expect(show(soon), `${where} from ${new Date(from).toISOString()}`).toEqual(
            show(expected.filter((time) => time >= from).slice(0, 1)),
          );
        }
      }
    }
  });

  /** Every change, of one of the zones that make it, and one change forward and one back of every zone. */
  function oneOfEachChangeAndZone(): Change[] {
    const covered = new Set<string>();
    return changes.filter((change) => {
      const covers = [changeKey(change), `${change.zone} ${change.by}`];
      const isNew = covers.some((what) => !covered.has(what));
      for (const what of covers) covered.add(what);
      return isNew;
    });
  }

  it('is due once on the day of each change, in every zone, at each local time that the change skips or repeats', () => {
    for (const change of oneOfEachChangeAndZone()) {
      const readings = readingsOf(change);
      const from = change.at - 12 * HOUR;
      const before = readings.find(({ time }) => time === change.at - MINUTE)!.minute;
      const first = before + 1 + Math.min(0, change.by);
      for (const minute of [first + 5, first + Math.abs(change.by) - 1]) {
        const reading = (minute + 1440) % 1440;
        const cron = `${reading % 60} ${Math.floor(reading / 60)} * * *`;
        const expected = expectedTimes(change, readings, (shown) => shown === reading, false).filter(
          (time) => time >= from,
        );
        expect(show(actualTimes(cron, change, from)), `${change.zone}: ${cron}`).toEqual(show(expected));
        expect(expected.length, `${change.zone}: ${cron}`).toBe(1);
      }
    }
  });
});
