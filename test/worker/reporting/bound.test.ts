import { describe, expect, it } from 'vitest';
import { ReportBound } from '../../../src/worker/reporting/bound.js';

describe('the limit of pending reports', () => {
  it.each([
    ['256 KiB', 64 * 1024, 4],
    ['1000 reports', 1, 1000],
  ])('makes a job wait above %s', async (_what, bytes, count) => {
    const bound = new ReportBound(() => {});
    for (let i = 0; i < count - 1; i++) bound.add('log', bytes);
    await bound.room();
    bound.add('log', bytes);
    let resolved = false;
    const room = bound.room().then(() => {
      resolved = true;
    });
    await new Promise(setImmediate);
    expect(resolved).toBe(false);
    bound.taken(bytes);
    await room;
    expect(resolved).toBe(true);
  });

  it.each([
    ['4 MiB', 64 * 1024, 64],
    ['10,000 reports', 1, 10_000],
  ])('drops reports above %s, and reports their number once there is room', (_what, bytes, count) => {
    let room = 0;
    const bound = new ReportBound(() => room++);
    for (let i = 0; i < count; i++) expect(bound.add('partial', bytes)).toBe(true);
    expect(bound.add('partial', bytes)).toBe(false);
    expect(bound.add('log', bytes)).toBe(false);
    expect(bound.add('log', bytes)).toBe(false);
    expect(room).toBe(0);
    for (let i = 0; i < count; i++) bound.taken(bytes);
    expect(room).toBeGreaterThan(0);
    expect(bound.takeMissing()).toEqual({ partial: 1, log: 2 });
    expect(bound.takeMissing()).toBeUndefined();
    expect(bound.add('log', bytes)).toBe(true);
  });
});
