import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

const HOUR = 3_600_000;
/** Returns the time by Redis' clock, which is five minutes behind this machine's. */
const redisTime = (): number => performance.now() + 1_699_999_700_000;

let clock: typeof import('../../../src/shared/redis/server-clock.js');

beforeEach(async () => {
  vi.useFakeTimers({ now: 1_700_000_000_000 });
  vi.resetModules();
  clock = await import('../../../src/shared/redis/server-clock.js');
});
afterEach(() => {
  vi.useRealTimers();
});

/** Asks Redis for its time. The request takes `toMs`, and the reply takes `backMs`. */
function ask(toMs: number, backMs: number, drift = 0): void {
  const answered = clock.askingServerTime();
  vi.advanceTimersByTime(toMs);
  const time = redisTime() + drift;
  vi.advanceTimersByTime(backMs);
  answered(time);
}
const error = (): number => Math.abs(clock.serverNow() - redisTime());

it("serverNow is the machine's time until Redis has answered", () => {
  expect(clock.serverNow()).toBe(Date.now());
});

it.each([-HOUR, HOUR, -5 * 60_000, 86_400_000])(
  'serverNow does not change when the clock of the machine jumps by %i ms',
  (jump) => {
    ask(1, 1);
    vi.setSystemTime(Date.now() + jump);
    expect(error()).toBeLessThanOrEqual(2);
    vi.advanceTimersByTime(10_000);
    expect(error()).toBeLessThanOrEqual(2);
  },
);

it.each([
  [3000, 0],
  [0, 3000],
  [2000, 2000],
])('serverNow does not get less accurate after a request of %i ms and a reply of %i ms', (to, back) => {
  ask(1, 1);
  ask(to, back);
  expect(error()).toBeLessThanOrEqual(2);
});

it('serverNow gets more accurate with a faster reply', () => {
  ask(0, 4000);
  expect(error()).toBeGreaterThan(1000);
  ask(1, 1);
  expect(error()).toBeLessThanOrEqual(2);
});

it.each([-HOUR, 40, HOUR])("serverNow follows Redis' clock when that changes by %i ms", (drift) => {
  ask(1, 1);
  ask(1, 1, drift);
  expect(Math.abs(clock.serverNow() - redisTime() - drift)).toBeLessThanOrEqual(3);
});

it('serverNow ignores a reply that is not a time', () => {
  ask(1, 1);
  clock.askingServerTime()(Number.NaN);
  expect(error()).toBeLessThanOrEqual(2);
});

/** Files that need the machine's clock, because Redis has not answered yet or BullMQ uses it. */
const USE_MACHINE_CLOCK = ['src/shared/redis/server-clock.ts', 'src/shared/runtime/bullmq-backend.ts'];

it('no other file uses the clock of the machine', () => {
  const files = ['src/api', 'src/shared', 'src/worker'].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => `${folder}/${name}`),
  );
  const found = files.filter((file) => /\bDate\.now\b|new Date\(\)/.test(readFileSync(file, 'utf8')));
  expect(files.length).toBeGreaterThan(100);
  expect(found.sort()).toEqual(USE_MACHINE_CLOCK);
});
