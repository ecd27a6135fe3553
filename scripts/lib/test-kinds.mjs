import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The kinds of test files, in the order in which `npm run test:<kind>` is documented. */
export const TEST_KINDS = ['unit', 'integration', 'browser', 'faults', 'deploy', 'recipes'];

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(root, 'test');
/** Imports of tests that need Redis, a process or the build. Modules of src do not count: tests give them fakes. */
const SERVICES = /\b(?:from|import)\s*\(?\s*'(?:node:child_process|ioredis|bullmq)'|['"`/]dist[/'"`]/;
const BROWSER = /\b(?:from|import)\s*\(?\s*'playwright-core'/;
const RELATIVE_IMPORT = /\b(?:from|import)\s*\(?\s*'(\.{1,2}\/[^']+)'/g;

/**
 * Returns the paths of the test files of a kind, relative to the root. There is no list: the kind of a file follows from
 * its folder and from what it imports, directly or through modules of test/ and scripts/.
 *
 * - `deploy`: is in test/deploy
 * - `recipes`: is in test/recipes
 * - `browser`: imports Playwright
 * - `faults`: is in test/faults, and not a unit test
 * - `unit`: needs no Redis, no other process and no build
 * - `integration`: all others
 */
export function testFiles(kind) {
  return readdirSync(folder, { recursive: true })
    .filter((path) => path.endsWith('.test.ts'))
    .map((path) => join(folder, path))
    .filter((path) => kindOf(path) === kind)
    .map((path) => relative(root, path))
    .sort();
}

function kindOf(path) {
  for (const kind of ['deploy', 'recipes']) if (path.startsWith(join(folder, kind, '/'))) return kind;
  const texts = [...closureOf(path)].map(codeOf);
  if (texts.some((text) => BROWSER.test(text))) return 'browser';
  if (!texts.some((text) => SERVICES.test(text))) return 'unit';
  return path.startsWith(join(folder, 'faults')) ? 'faults' : 'integration';
}

/** A test file, and the modules of test/ and scripts/ that it loads. */
function closureOf(path, seen = new Set()) {
  if (seen.has(path)) return seen;
  seen.add(path);
  for (const [, specifier] of codeOf(path).matchAll(RELATIVE_IMPORT)) {
    const file = resolve(dirname(path), specifier);
    const source = existsSync(file) ? file : file.replace(/\.js$/, '.ts');
    const ours = ['test', 'scripts'].some((room) => source.startsWith(join(root, room, '/')));
    if (ours && existsSync(source)) closureOf(source, seen);
  }
  return seen;
}

const codes = new Map();
/** The code of a module without its comments and without the imports of types, which load nothing. */
function codeOf(path) {
  if (!codes.has(path)) {
    const code = readFileSync(path, 'utf8')
      .replace(/^\s*(?:\/\/|\/?\*).*$/gm, '')
      .replace(/^import type [^;]*;$/gm, '');
    codes.set(path, code);
  }
  return codes.get(path);
}
