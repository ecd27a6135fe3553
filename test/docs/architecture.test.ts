import { existsSync, readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { markdownFiles, page } from '../support/documentation.js';

const sources = new Set(
  ['src', 'scripts', 'test'].flatMap((folder) =>
    readdirSync(folder, { recursive: true }).map((path) => basename(String(path))),
  ),
);

describe('the architecture pages', () => {
  it.each([...markdownFiles('docs/architecture'), 'ARCHITECTURE.md', 'CONTRIBUTING.md'])(
    '%s names only files that exist',
    (path) => {
      const names = Array.from(
        page(path).matchAll(/\b([\w/-]+(?:\.test)?\.(?:ts|mjs|lua))\b/g),
        ([, name]) => name!,
      );
      const missing = names.filter((name) => !sources.has(basename(name)));
      const misplaced = names.filter((name) => /^(src|test|scripts)\//.test(name) && !existsSync(name));
      expect([...missing, ...misplaced]).toEqual([]);
    },
  );

  it.each(['ARCHITECTURE.md'])('%s names only folders that exist', (path) => {
    const rows = Array.from(page(path).matchAll(/^\| `src\/([^|]*)\|/gm), ([, cell]) => cell!);
    expect(rows.length).toBeGreaterThan(10);
    for (const cell of rows) {
      const [first, ...others] = cell.match(/[\w/-]+/g)!;
      const parent = first!.split('/').slice(0, -1).join('/');
      for (const folder of [first!, ...others.map((name) => `${parent}/${name}`)]) {
        expect(existsSync(`src/${folder}`), `src/${folder}`).toBe(true);
      }
    }
  });
});
