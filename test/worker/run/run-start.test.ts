import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { RunStart } from '../../../src/worker/run/run-start.js';

/** A start, and what happens in order. */
function observed(begin: () => Promise<undefined> = async () => undefined) {
  const seen: string[] = [];
  const start = new RunStart(async () => {
    seen.push('start');
    await sleep(5);
    await begin();
    seen.push('started');
    return undefined;
  });
  const publisher = start.before({
    publishInRow: async () => {
      seen.push('report');
      return { state: 'taken', id: '' };
    },
  } as never);
  const report = () => publisher.publishInRow('job:a', [], {});
  return { seen, start, report };
}

describe('the start of a run', () => {
  it('goes with the end if the run ends while it is held back', async () => {
    const { seen, start } = observed();
    start.hold();
    await start.settled();
    await sleep(30);
    expect(seen).toEqual([]);
  });

  it('is published after a moment, and the end waits for it', async () => {
    const { seen, start } = observed();
    start.hold();
    await sleep(12);
    await start.settled();
    expect(seen).toEqual(['start', 'started']);
  });

  it('is published once, before the first report', async () => {
    const { seen, start, report } = observed();
    start.hold();
    await Promise.all([report(), report()]);
    await report();
    await start.publish();
    await sleep(20);
    expect(seen).toEqual(['start', 'started', 'report', 'report', 'report']);
  });

  it('does not hold up reports if it fails, but fails the end', async () => {
    const { seen, start, report } = observed(() => Promise.reject(new Error('WRONGTYPE')));
    const failures: unknown[] = [];
    start.hold((error) => failures.push(error));
    await report();
    expect(failures).toEqual([new Error('WRONGTYPE')]);
    expect(seen).toEqual(['start', 'report']);
    await expect(start.settled()).rejects.toThrow('WRONGTYPE');
  });
});
