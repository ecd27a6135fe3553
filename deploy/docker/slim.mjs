// Removes from node_modules and dist what no process of the image loads: packages that dist/node_modules contains as
// bundles, binaries for musl, tests, builds for bundlers, types and source maps. Run it after `npm ci --omit=dev`.
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
/** Where a package that `from` imports is installed, as Node searches for it; `undefined` if it is not installed. */
function locate(name, from) {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('node_modules') - 1))) {
    const path = join(folder, 'node_modules', name);
    if (existsSync(path)) return path;
    if (folder === '') return undefined;
  }
}

/** Bundles find packages with native code here too. */
const bundled = readdirSync('dist/node_modules').filter((name) => packages['']?.dependencies[name]);
const { dependencies, optionalDependencies } = packages[''];
const direct = Object.keys({ ...dependencies, ...optionalDependencies }).filter(
  (name) => !bundled.includes(name),
);
const needed = new Set();
const keep = (name, from) => {
  const path = locate(name, from);
  if (!path || needed.has(path)) return;
  needed.add(path);
  const entry = packages[path];
  for (const child of Object.keys({ ...entry.dependencies, ...entry.optionalDependencies }))
    keep(child, path);
};
for (const name of [...direct, 'msgpackr-extract']) keep(name, '');
/** TypeScript is an optional peer of a package that never loads it, and the binary for musl does not say that it is. */
for (const unused of ['node_modules/typescript', 'node_modules/@libsql/linux-x64-musl'])
  needed.delete(unused);

for (const path of Object.keys(packages)) {
  const holdsNeeded = [...needed].some((other) => other === path || other.startsWith(`${path}/`));
  if (path !== '' && !holdsNeeded) rmSync(path, { recursive: true, force: true });
}
rmSync('node_modules/.package-lock.json', { force: true });

/** Tests, and builds that only bundlers load: Node finds a CommonJS build beside them. */
const UNUSED_FOLDERS = ['test', 'dist-es', 'build/esm', 'build/esnext'];
for (const path of needed) {
  for (const folder of UNUSED_FOLDERS) rmSync(join(path, folder), { recursive: true, force: true });
}

const UNUSED = /\.(map|d\.[cm]?ts|tsbuildinfo|markdown)$|^(readme|changelog|history)(\.md)?$/i;
for (const folder of ['node_modules', 'dist']) {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile() && UNUSED.test(entry.name)) rmSync(join(entry.parentPath, entry.name));
  }
}
