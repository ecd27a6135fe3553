import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type RolledUp, RollUp } from '../../../../src/worker/reporting/roll-up.js';
import { childId } from '../../../../src/worker/run/children/request.js';

describe('the combined progress of children', () => {
  const rollUp = () => {
    const seen: RolledUp[] = [];
    return { seen, bar: new RollUp((state) => seen.push(state)) };
  };

  it('is the weighted mean of their percentages; a child that has ended counts in full', () => {
    const { seen, bar } = rollUp();
    const [light, heavy] = [bar.add(1), bar.add(3)];
    light.percent(50);
    expect(seen.at(-1)).toEqual({ percent: 12.5, current: 0, total: 2 });
    heavy.percent(50);
    expect(seen.at(-1)!.percent).toBe(50);
    light.end();
    expect(seen.at(-1)).toEqual({ percent: 62.5, current: 1, total: 2 });
    // Late or repeated reports of a child that has ended have no effect.
    light.percent(10);
    light.end();
    expect(seen.at(-1)).toEqual({ percent: 62.5, current: 1, total: 2 });
    heavy.end();
    expect(seen.at(-1)).toEqual({ percent: 100, current: 2, total: 2 });
  });

  it('follows a child that is retried', () => {
    const { seen, bar } = rollUp();
    const child = bar.add(1);
    child.percent(80);
    child.percent(10);
    expect(seen.at(-1)!.percent).toBe(10);
  });

  it('stays within 0 and 100, and is 100 when all have ended, for any reports', () => {
    const steps = fc.array(
      fc.record({ child: fc.nat(9), to: fc.oneof(fc.double({ noNaN: true }), fc.constant('end')) }),
    );
    const weights = fc.array(fc.double({ min: 1e-3, max: 1e6, noNaN: true }), {
      minLength: 10,
      maxLength: 10,
    });
    fc.assert(
      fc.property(weights, steps, (shares, moves) => {
        const { seen, bar } = rollUp();
        const parts = shares.map((share) => bar.add(share));
        for (const { child, to } of moves) {
          if (typeof to === 'number') parts[child]!.percent(to);
          else parts[child]!.end();
          expect(seen.at(-1)!.percent).toBeGreaterThanOrEqual(-1e-9);
          expect(seen.at(-1)!.percent).toBeLessThanOrEqual(100);
        }
        for (const part of parts) part.end();
        expect(seen.at(-1)).toEqual({ percent: 100, current: 10, total: 10 });
      }),
    );
  });
});

describe('the id of a child', () => {
  it('is stable, and differs by call, job type and parent', () => {
    const ids = [
      childId('leaf', 'tree.1', 'leaf', 1),
      childId('leaf', 'tree.1', 'leaf', 2),
      childId('leaf', 'tree.1', 'leaf', '1'),
      childId('leaf', 'tree.1', 'bud', 1),
      childId('leaf', 'tree.2', 'leaf', 1),
    ];
    expect(new Set(ids).size).toBe(5);
    expect(childId('leaf', 'tree.1', 'leaf', 1)).toBe(ids[0]);
    for (const id of ids) expect(id).toMatch(/^leaf\.[0-9a-f]{32}$/);
  });
});
