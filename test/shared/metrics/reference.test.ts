import { expect, it } from 'vitest';
import { instruments } from '../../../src/shared/metrics/all.js';
import { page } from '../../support/documentation.js';

it('docs/reference/metrics.md lists every metric with its type, labels and meaning', () => {
  const rows = page('docs/reference/metrics.md').matchAll(
    /^\| `(headway_\w+)` \| (\w+) \| (.*?) \| (.+) \|$/gm,
  );
  const documented = Array.from(rows, ([, name, ...row]) => [name, ...row]);
  const expected = instruments.map(({ name, type, labels, help }) => [
    name,
    type,
    labels.map((label) => `\`${label}\``).join(' '),
    help,
  ]);
  expect(documented.sort()).toEqual(expected.sort());
});

it('names of metrics follow the conventions of Prometheus', () => {
  for (const { name, type, labels } of instruments) {
    expect(name).toMatch(/^headway_[a-z]+(_[a-z]+)*$/);
    expect(name.endsWith('_total'), name).toBe(type === 'counter');
    expect(name).not.toMatch(/_(ms|milliseconds|minutes|count|sum|bucket)(_total)?$/);
    for (const label of labels) expect(label).toMatch(/^[a-z]+$/);
  }
  expect(new Set(instruments.map(({ name }) => name)).size).toBe(instruments.length);
});
