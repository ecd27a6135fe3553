import { existsSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { anchorsOf, headingAnchor, linksOf } from '../../scripts/lib/markdown.mjs';
import { markdownFiles, page } from '../support/documentation.js';

const localLinks = (path: string): string[] => linksOf(page(path)).filter((link) => !/^[a-z]+:/.test(link));

/** Returns what is wrong with a link of a page; `undefined` if nothing is. */
function brokenLink(path: string, link: string): string | undefined {
  const [target = '', anchor] = link.split('#');
  const file = target === '' ? path : normalize(join(dirname(path), target));
  if (!existsSync(file)) return `${link}: there is no ${file}`;
  if (anchor === undefined) return undefined;
  if (!file.endsWith('.md') || statSync(file).isDirectory()) return `${link}: only pages have anchors`;
  return anchorsOf(page(file)).includes(anchor) ? undefined : `${link}: ${file} has no such heading`;
}

describe('links and images of the documentation', () => {
  it.each(markdownFiles())('%s leads only to files and headings that exist', (path) => {
    expect(localLinks(path).flatMap((link) => brokenLink(path, link) ?? [])).toEqual([]);
  });

  it('names the packages as they are published', () => {
    const old =
      /(?:from|import) 'headway['/]|['`]headway\/(?:client|vue|react|svelte|element|server|worker|channels)['`]/;
    const pages = markdownFiles().filter((path) => path !== 'CHANGELOG.md');
    expect(pages.filter((path) => old.test(page(path)))).toEqual([]);
  });

  it('reaches every page of docs from the index', () => {
    const linked = new Set<string>();
    const follow = (path: string): void => {
      if (linked.has(path)) return;
      linked.add(path);
      for (const link of localLinks(path)) {
        const file = normalize(join(dirname(path), link.split('#')[0]!));
        if (file.startsWith('docs/') && file.endsWith('.md')) follow(file);
      }
    };
    follow('docs/index.md');
    expect([...linked].filter((path) => path.startsWith('docs/')).sort()).toEqual(
      markdownFiles('docs').sort(),
    );
  });

  it.each([
    ['`POST /v1/jobs:batch`', 'post-v1jobsbatch'],
    ['Cancel, retry, time limits', 'cancel-retry-time-limits'],
    ['npm start & Ümläute', 'npm-start--ümläute'],
  ])('gives the heading "%s" the anchor that GitHub gives it', (heading, anchor) => {
    expect(headingAnchor(heading)).toBe(anchor);
  });
});
