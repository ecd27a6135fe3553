import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ReportQueue } from '../../../src/worker/reporting/report-queue.js';

const replyError = (message: string): Error => Object.assign(new Error(message), { name: 'ReplyError' });

/** A fake Redis that accepts each number once. It can refuse calls, lose replies, and lose its last writes. */
class Taker {
  log: number[] = [];
  calls = 0;
  /** Outcomes of the next calls, in order. Later calls succeed. */
  fate: Array<'refuse' | 'answer lost' | 'older'> = [];

  async send(entries: readonly number[], first: number, skip: boolean) {
    this.calls++;
    const fate = this.fate.shift();
    await new Promise(setImmediate);
    if (fate === 'refuse') throw replyError("READONLY You can't write against a read only replica.");
    if (fate === 'older') this.log.splice(Math.floor(this.log.length / 2));
    const last = this.log.length;
    if (first > last + 1 && !skip) return { state: 'missing' as const, last };
    this.log.push(...entries.slice(Math.max(0, last + 1 - first)));
    if (fate === 'answer lost') throw new Error('Connection is closed.');
    return { state: 'taken' as const };
  }
}

function queueOn(taker: Taker) {
  const missing: number[] = [];
  const queue = new ReportQueue<number>({
    send: (...call) => taker.send(...call),
    begin: async () => {},
    onMissing: (count) => missing.push(count),
    warn: () => {},
  });
  return { queue, missing };
}

describe('P11: the report queue', () => {
  it('delivers each entry once and in order when Redis refuses calls, loses replies or loses entries', async () => {
    const fates = fc.array(fc.constantFrom('refuse', 'answer lost', 'older'), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(fates, fc.array(fc.nat(40), { maxLength: 6 }), async (fate, groups) => {
        const taker = new Taker();
        taker.fate = [...fate];
        const { queue, missing } = queueOn(taker);
        let given = 0;
        let taken = 0;
        for (const count of groups) {
          for (let i = 0; i < count; i++) queue.put(++given, 10, () => taken++);
          await new Promise(setImmediate);
        }
        await queue.delivered();
        expect(taker.log).toEqual(Array.from({ length: given }, (_, i) => i + 1));
        expect(taken).toBe(given);
        expect(missing).toEqual([]);
      }),
      { numRuns: 50 },
    );
  });

  it('reports the number of lost entries that it no longer has, and continues', async () => {
    const taker = new Taker();
    const { queue, missing } = queueOn(taker);
    for (let i = 1; i <= 3000; i++) queue.put(i, 10);
    await queue.delivered();
    taker.log = [];
    taker.send = async function (entries, first, skip) {
      if (first > 1 && this.log.length === 0 && !skip) return { state: 'missing', last: 0 };
      this.log.push(...entries);
      return { state: 'taken' };
    };
    queue.put(3001, 10);
    await queue.delivered();
    expect(missing).toHaveLength(1);
    expect(taker.log[0]).toBe(missing[0]! + 1);
    expect(taker.log).toEqual(Array.from({ length: 3001 - missing[0]! }, (_, i) => missing[0]! + 1 + i));
    expect(taker.log.length).toBeGreaterThanOrEqual(512);
  });

  it('sends at most 256 entries or 256 KiB per call, and a larger entry alone', async () => {
    const calls: number[][] = [];
    const queue = new ReportQueue<number>({
      async send(entries) {
        calls.push([...entries]);
        return { state: 'taken' };
      },
      begin: async () => {},
      onMissing: () => {},
      warn: () => {},
    });
    for (let i = 0; i < 300; i++) queue.put(i, 10);
    for (let i = 300; i < 306; i++) queue.put(i, 100 * 1024);
    queue.put(306, 1e6);
    queue.put(307, 10);
    await queue.delivered();
    expect(calls.map(({ length }) => length)).toEqual([256, 46, 2, 2, 1, 1]);
    expect(calls.flat()).toEqual(Array.from({ length: 308 }, (_, i) => i));
  });

  it('drops entries that Redis cannot accept, reports them, and delivers the rest', async () => {
    const taken: number[] = [];
    const skips: Array<boolean | undefined> = [];
    const missing: number[] = [];
    const queue = new ReportQueue<number>({
      async send(entries, _first, skip) {
        if (entries.includes(2) && taken.length === 1) throw replyError('WRONGTYPE');
        taken.push(...entries);
        skips.push(skip);
        return { state: 'taken' };
      },
      begin: async () => {},
      onMissing: (count) => missing.push(count),
      warn: () => {},
    });
    for (const i of [1, 2, 3]) {
      queue.put(i, 10);
      await queue.delivered();
    }
    expect(taken).toEqual([1, 3]);
    expect(skips.map(Boolean)).toEqual([false, true]);
    expect(missing).toEqual([1]);
  });

  it('ends without a report when Redis can accept nothing', async () => {
    let taken = 0;
    const missing: number[] = [];
    const queue = new ReportQueue<number>({
      send: () => Promise.reject(replyError('WRONGTYPE Operation against a key')),
      begin: async () => {},
      onMissing: (count) => {
        missing.push(count);
        queue.put(0, 10);
      },
      warn: () => {},
    });
    for (let i = 0; i < 300; i++) queue.put(i, 10, () => taken++);
    await queue.delivered();
    expect(taken).toBe(300);
    expect(missing).toEqual([]);
  });

  it('publishes the beginning of the attempt again when Redis has lost it, followed by all entries', async () => {
    let begun = 0;
    const taken: number[] = [];
    const queue = new ReportQueue<number>({
      async send(entries) {
        if (begun < 2) return { state: 'unbegun' };
        taken.push(...entries);
        return { state: 'taken' };
      },
      begin: async () => begun++,
      onMissing: () => {},
      warn: () => {},
    });
    for (const i of [1, 2, 3]) queue.put(i, 10);
    await queue.delivered();
    expect(begun).toBe(2);
    expect(taken).toEqual([1, 2, 3]);
  });

  it('resolves all waits when it is closed during a call', async () => {
    let taken = 0;
    const queue = new ReportQueue<number>({
      send: () => new Promise(() => {}),
      begin: async () => {},
      onMissing: () => {},
      warn: () => {},
    });
    for (let i = 0; i < 10; i++) queue.put(i, 10, () => taken++);
    const delivered = queue.delivered();
    await new Promise(setImmediate);
    queue.close();
    await delivered;
    expect(taken).toBe(10);
  });

  it('resolves all waits when the attempt is over', async () => {
    let taken = 0;
    const queue = new ReportQueue<number>({
      send: async () => ({ state: 'refused' }),
      begin: async () => {},
      onMissing: () => {},
      warn: () => {},
    });
    for (let i = 0; i < 500; i++) queue.put(i, 10, () => taken++);
    await queue.delivered();
    queue.put(500, 10, () => taken++);
    await queue.delivered();
    expect(taken).toBe(501);
  });
});
