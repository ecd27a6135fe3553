import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packJobs, unpackJobs } from '../../../src/shared/dashboard/frame.js';
import { RunningJobs } from '../../../src/shared/dashboard/running.js';

const text = fc.option(fc.string({ minLength: 1, maxLength: 40 }), { nil: undefined });
const number = fc.option(fc.nat(), { nil: undefined });
const job = fc.record({
  id: fc.string({ minLength: 1 }),
  name: fc.constantFrom('steps', 'render', ''),
  title: text,
  owner: fc.constantFrom(undefined, 'user:ada', 'user:bob'),
  attempt: fc.nat(),
  startedAt: fc.nat(),
  percent: fc.option(fc.nat(100), { nil: null }),
  stage: text,
  current: number,
  total: number,
  unit: text,
  ratePerSecond: number,
  etaMs: number,
  message: text,
});

describe('a frame of running jobs', () => {
  it('preserves the jobs', () => {
    fc.assert(
      fc.property(fc.array(job), (jobs) => {
        const frame = packJobs('worker:1', jobs);
        expect(unpackJobs(JSON.parse(JSON.stringify(frame)))).toEqual(jobs);
      }),
    );
  });
});

describe('the running jobs of a process', () => {
  const begun = { id: 'a', name: 'steps', attempt: 1, startedAt: 5, percent: null };

  it('have their newest progress', () => {
    const running = new RunningJobs();
    running.begin(begun);
    running.progress('a', { percent: 10 });
    running.progress('a', { percent: 20, message: 'half of it' });
    running.progress('other', { percent: 99 });
    expect(running.read()).toEqual([{ ...begun, percent: 20, message: 'half of it' }]);
    expect(running.changed).toBe(false);
    running.end('a', 1);
    expect(running.changed).toBe(true);
    expect(running.read()).toEqual([]);
  });

  it('keep a job that a later run in this process has taken over when the earlier run ends', () => {
    const running = new RunningJobs();
    running.begin(begun);
    running.begin({ ...begun, attempt: 2 });
    running.end('a', 1);
    expect(running.read()).toMatchObject([{ attempt: 2 }]);
  });
});
