import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { page } from '../support/documentation.js';

it('SECURITY.md names for each threat a test that exists', () => {
  const rows = page('SECURITY.md')
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| threat') && !line.startsWith('| ---'));
  const wrong = rows.flatMap((row) => {
    const [, path, title] = /\| `(test\/[^`]+)`: ([^|]+) \|$/.exec(row) ?? [];
    if (path === undefined) return [`no test: ${row}`];
    if (!existsSync(path)) return [`no file ${path}`];
    // Titles of a table of tests are in the same file, and quotes are written in another way there.
    return readFileSync(path, 'utf8').includes(title!.trim()) ? [] : [`${path} has no test "${title}"`];
  });
  expect(wrong).toEqual([]);
  expect(rows.length).toBeGreaterThan(30);
});
