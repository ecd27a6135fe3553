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

const folder = dirname(fileURLToPath(import.meta.url));
/** When the code of a process is kept, in ms after its begin: by then, the functions that a start needs are compiled. */
const KEEP_AFTER_MS = 2000;

const modules = new Map();
/** The scripts whose compiled code is not kept yet. */
const unkept = [];
let program;

/** Runs a program. @param name of the program, for the file names of its compiled code @param bundle its main bundle */
export function runProgram(name, bundle) {
  program = name;
  load(bundle);
  setTimeout(keep, KEEP_AFTER_MS).unref();
  process.once('exit', keep);
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
  const source = `(function (module, exports, require, __url, __import, __resolve) {${readFileSync(file, 'latin1')}\n})`;
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
