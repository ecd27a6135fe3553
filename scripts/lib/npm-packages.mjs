import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { minifySync } from 'rolldown/utils';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const readJson = (path) => JSON.parse(readFileSync(join(root, path), 'utf8'));
const project = readJson('package.json');

/** The folders of `dist` that the server's package contains. Its users install the packages of dist/node_modules. */
const SERVER = ['api', 'client', 'programs', 'shared', 'web', 'worker'];

/** How a module of the server reads the Lua scripts beside it. */
const READS_LUA = 'luaBeside(import.meta.url)';

/**
 * The folders in `packages` of the packages that programs import. In each are the manifest and the README. `packages/create`
 * has a third one: see scripts/lib/starter.mjs.
 */
export const FOLDERS = ['client', 'server'];

/** Returns the name of the package in a folder of `packages`. */
export const nameOf = (folder) => readJson(`packages/${folder}/package.json`).name;

/**
 * Writes the contents of client and server, each to the folder with its name. `dist` must be built.
 * @param to where the folders are created
 * @param repository owner and name on GitHub, which provenance requires; unknown outside of the workflow that publishes
 */
export function stagePackages(to, repository = process.env.GITHUB_REPOSITORY) {
  for (const folder of FOLDERS) {
    const target = stageFolder(to, folder, repository);
    if (folder === 'client') stageClient(target, Object.values(manifestOf(folder).exports));
    else stageServer(target);
  }
}

/** Writes the manifest, the README and the licence of a package. @returns the folder for its content */
export function stageFolder(to, folder, repository = process.env.GITHUB_REPOSITORY) {
  const manifest = manifestOf(folder, repository);
  const target = join(to, manifest.name);
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  cpSync(join(root, 'LICENSE'), join(target, 'LICENSE'));
  cpSync(join(root, 'packages', folder, 'README.md'), join(target, 'README.md'));
  writeFileSync(join(target, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return target;
}

/** Returns the complete manifest of a package. What packages share, and the versions of dependencies, are those of the project. */
export function manifestOf(folder, repository) {
  const own = readJson(`packages/${folder}/package.json`);
  const { version, license, engines } = project;
  const url = `git+https://github.com/${repository}.git`;
  return {
    name: own.name,
    version,
    ...own,
    license,
    engines,
    ...(repository ? { repository: { type: 'git', url, directory: `packages/${folder}` } } : {}),
    ...(folder === 'server' ? dependenciesOf(own) : {}),
  };
}

/** Divides the dependencies of the project into those of the server, and those that only some of its features need. */
function dependenciesOf({ peerDependenciesMeta }) {
  const isOptional = ([name]) => name in peerDependenciesMeta;
  const all = Object.entries(project.dependencies);
  return {
    dependencies: Object.fromEntries(all.filter((entry) => !isOptional(entry))),
    optionalDependencies: project.optionalDependencies,
    peerDependencies: Object.fromEntries(all.filter(isOptional)),
  };
}

/** The client's files are at the top of its package, so `headway-client/vue` is found by tools that do not know `exports`. */
function stageClient(target, exports) {
  const from = join(root, 'dist', 'client');
  copy(from, target, (path) => path !== 'cli');
  for (const path of filesOf(target)) {
    if (!path.endsWith('.js')) continue;
    const code = readFileSync(path, 'utf8');
    // Comments are in the types, where editors look for them. Names stay, so that stack traces can be read.
    const options = { module: true, compress: false, mangle: false };
    writeFileSync(path, minifySync(path, code, options).code);
  }
  const used = typesOf(exports.filter((path) => path.endsWith('.js')).map((path) => join(target, path)));
  for (const path of filesOf(target)) if (path.endsWith('.d.ts') && !used.has(path)) rmSync(path);
}

/** Returns the files with the types of modules, and of the modules that those name. */
function typesOf(modules, found = new Set()) {
  for (const module of modules) {
    const path = module.replace(/\.js$/, '.d.ts');
    if (found.has(path)) continue;
    found.add(path);
    const names = readFileSync(path, 'utf8').matchAll(/(?:from|import\(?) ?['"](\.[^'"]+)['"]/g);
    typesOf(
      Array.from(names, ([, name]) => join(dirname(path), name)),
      found,
    );
  }
  return found;
}

function stageServer(target) {
  for (const folder of SERVER) copy(join(root, 'dist', folder), join(target, 'dist', folder), () => true);
  for (const path of filesOf(join(target, 'dist'))) if (path.endsWith('/scripts.js')) inlineLua(path);
  cpSync(join(root, 'CHANGELOG.md'), join(target, 'CHANGELOG.md'));
}

/**
 * Puts the Lua scripts beside a module into the module. Frameworks that copy what a server needs, such as Nuxt, find the
 * files that code imports, and not those that it reads.
 */
function inlineLua(path) {
  const code = readFileSync(path, 'utf8');
  if (!code.includes(READS_LUA)) return;
  const folder = join(dirname(path), 'scripts');
  const scripts = Object.fromEntries(
    readdirSync(folder).map((file) => [file.replace(/\.lua$/, ''), readFileSync(join(folder, file), 'utf8')]),
  );
  writeFileSync(
    path,
    code.replace(READS_LUA, () => `(name) => (${JSON.stringify(scripts)})[name]`),
  );
}

/** Copies a folder without source maps. @param wanted whether a path in the folder is copied */
function copy(from, to, wanted) {
  cpSync(from, to, {
    recursive: true,
    filter: (path) => !/\.(map|tsbuildinfo)$/.test(path) && wanted(relative(from, path)),
  });
}

const filesOf = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
