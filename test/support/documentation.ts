import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const SKIPPED = new Set(['node_modules', 'dist', 'data', 'coverage', '.git']);

/** Returns the paths of all Markdown files of the repository. */
export function markdownFiles(folder = '.'): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : markdownFiles(join(folder, entry.name));
    return entry.name.endsWith('.md') ? [join(folder, entry.name)] : [];
  });
}

/** Returns the text of a page of the documentation. @param path from the root of the repository */
export const page = (path: string): string => readFileSync(path, 'utf8');

let blocks: Map<string, { code: string; path: string }> | undefined;

/**
 * Returns the code block after `<!-- test: name -->` in README.md or docs/. A block may be on two pages if it is the same.
 * @throws Error if there is no such block, or pages have different ones under this name
 */
export function block(name: string): string {
  blocks ??= readBlocks();
  const found = blocks.get(name);
  if (!found) throw new Error(`no page has a code block named ${name}`);
  return found.code;
}

function readBlocks(): Map<string, { code: string; path: string }> {
  const found = new Map<string, { code: string; path: string }>();
  for (const path of ['README.md', ...markdownFiles('docs')]) {
    const all = page(path).matchAll(/<!-- test: ([\w-]+) -->\n( *)```\w+\n([\s\S]*?) *```/g);
    for (const [, name, indent = '', indented = ''] of all) {
      // A block of a list is indented.
      const code = indented.replaceAll(new RegExp(`^${indent}`, 'gm'), '');
      const other = found.get(name!);
      if (other && other.code !== code) {
        throw new Error(`the code block ${name} differs between ${other.path} and ${path}`);
      }
      found.set(name!, { code, path });
    }
  }
  return found;
}
