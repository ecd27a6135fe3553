// Copied by scripts/bundle-programs.mjs to dist/node_modules/.programs/load.mjs, beside the bundles that it loads.
// A third of a process's start is compiling JavaScript. V8 can keep what it compiled; Node 20 offers that only for scripts
// of `node:vm`, so the bundles are CommonJS. The first start of a program writes the compiled code beside its bundles, and
// later starts load it. V8 refuses code that was compiled by another version, under other flags or for another processor: the
// names of the files tell them apart.
import { accessSync, constants, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { cachedDataVersionTag } from 'node:v8';
import { Script } from 'node:vm';
import { isMainThread } from 'node:worker_threads';

const folder = dirname(fileURLToPath(import.meta.url));
/**
 * When the code of a process is kept, in ms after its begin, if it has not ended before. By then, the functions that its
 * first jobs and viewers need are usually compiled too: later processes do not compile these either.
 */
const KEEP_AFTER_MS = 30_000;
/** The same for a thread, which may be terminated at any moment. */
const KEEP_IN_THREAD_MS = 1000;

/** What a bundle gets. Each is one function, so that a script can return it: see bundle-fast.mjs. */
const PARAMETERS = '(module, exports, require, __url, __import, __resolve)';

/** Returns the text of a bundle that {@link load} can load, for the code of a CommonJS module. */
export const bundleOf = (code) => `(function ${PARAMETERS} {${code}\n})`;

const modules = new Map();
/** The scripts whose compiled code is not kept yet. */
const unkept = [];
let program;

/**
 * Runs a program.
 * @param name of the program, for the file names of its compiled code
 * @param bundle its main bundle
 * @returns the exports of the main bundle
 */
export function runProgram(name, bundle) {
  program = name;
  const exports = load(bundle);
  setTimeout(keep, isMainThread ? KEEP_AFTER_MS : KEEP_IN_THREAD_MS).unref();
  process.once('exit', keep);
  return exports;
}

/** Returns the exports of a bundle, which is run once. */
export function load(bundle) {
  const file = join(folder, bundle);
  const known = modules.get(file);
  if (known) return known.exports;
  const module = { exports: {} };
  modules.set(file, module);
  const require = createRequire(file);
  compile(file)(
    module,
    module.exports,
    (id) => (id.startsWith('./') ? load(id) : require(id)),
    pathToFileURL(file).href,
    (id) => import(id),
    import.meta.resolve,
  );
  return module.exports;
}

function compile(file) {
  // The bundles are ASCII, for which Latin-1 is the fastest encoding.
  const source = readFileSync(file, 'latin1');
  const compiled = `${file}.${program}-${process.version}-${cachedDataVersionTag()}`;
  const cachedData = program ? readIfThere(compiled) : undefined;
  const script = new Script(source, { filename: file, cachedData });
  if (program && (!cachedData || script.cachedDataRejected)) unkept.push({ script, compiled });
  return script.runInThisContext();
}

function readIfThere(file) {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}

/** Writes the compiled code for later starts. They are only slower if the folder cannot be written to. */
function keep() {
  for (const { script, compiled } of unkept.splice(0)) {
    try {
      accessSync(folder, constants.W_OK);
      const whole = `${compiled}.${process.pid}`;
      writeFileSync(whole, script.createCachedData());
      renameSync(whole, compiled);
    } catch {
      return;
    }
  }
}
