import { describe, expect, it } from 'vitest';
import { shareCalls } from '../../../src/shared/process/shared-calls.js';

describe('shared calls', () => {
  /** Each run waits for `finish`, and its result is its number. */
  function createCalls() {
    const runs: Array<{ key: string; finish: (error?: Error) => void }> = [];
    const call = shareCalls(
      (key: string) =>
        new Promise<number>((resolve, reject) => {
          const number = runs.length + 1;
          runs.push({ key, finish: (error) => (error ? reject(error) : resolve(number)) });
        }),
    );
    return { runs, call };
  }
  const turn = (): Promise<void> => new Promise(setImmediate);

  it('start after they were made, and share the run that starts next', async () => {
    const { runs, call } = createCalls();
    const first = call('a');
    const later = [call('a'), call('a'), call('a')];
    expect(runs).toHaveLength(1);
    runs[0]!.finish();
    expect(await first).toBe(1);
    await turn();
    expect(runs).toHaveLength(2);
    const last = call('a');
    runs[1]!.finish();
    expect(await Promise.all(later)).toEqual([2, 2, 2]);
    await turn();
    runs[2]!.finish();
    expect(await last).toBe(3);
    void call('a');
    expect(runs).toHaveLength(4);
  });

  it('do not share with calls for another key', () => {
    const { runs, call } = createCalls();
    void call('a');
    void call('b');
    expect(runs.map(({ key }) => key)).toEqual(['a', 'b']);
  });

  it('fail alone when the run before them failed', async () => {
    const { runs, call } = createCalls();
    const first = call('a');
    const second = call('a');
    runs[0]!.finish(new Error('refused'));
    await expect(first).rejects.toThrow('refused');
    await turn();
    runs[1]!.finish();
    expect(await second).toBe(2);
  });
});
