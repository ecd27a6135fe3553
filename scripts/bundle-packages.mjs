// npm run build:packages: bundles the packages that API, worker and command line load, each into one file of
// dist/node_modules, which Node searches first for imports of the code in dist. A process spends most of its start
// loading about 500 small files; bundles halve that time. A module that two packages share is bundled once, so BullMQ and
// our own code use the same ioredis.
// The published server has no bundles (scripts/lib/npm-packages.mjs): its users load the packages that they install.
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { PACKAGES } from './lib/package-names.mjs';

/** Packages with native code that the bundled ones load. */
const EXTERNAL = ['msgpackr-extract'];

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = join(root, 'dist', 'node_modules');

/** Returns a module with every name that Node can import. For a CommonJS package, a bundler keeps only the default export. */
async function entryOf(name) {
  const names = Object.keys(await import(name)).filter(
    (key) => key !== 'module.exports' && key !== '__esModule',
  );
  return `export { ${names.join(', ')} } from '${name}';`;
}

const entryFile = (name) => join(root, `${name.replace('/', '+')}.entry.mjs`);
const entries = new Map();
for (const name of PACKAGES) entries.set(entryFile(name), await entryOf(name));

const build = await rolldown({
  input: Object.fromEntries(PACKAGES.map((name) => [name, entryFile(name)])),
  platform: 'node',
  external: EXTERNAL,
  // Optional packages that are not installed stay imports, so loading them fails as it does without a bundle.
  logLevel: 'silent',
  plugins: [
    {
      name: 'package-entries',
      resolveId: (id) => (entries.has(id) ? id : null),
      load: (id) => entries.get(id) ?? null,
    },
  ],
});
rmSync(folder, { recursive: true, force: true });
await build.write({
  dir: folder,
  format: 'esm',
  entryFileNames: '[name]/lib/index.mjs',
  chunkFileNames: '.shared/[name].mjs',
});
for (const name of PACKAGES) {
  const manifest = { name, exports: './lib/index.mjs' };
  writeFileSync(join(folder, name, 'package.json'), JSON.stringify(manifest));
}
// jiti reads its compiler from here when it meets a file that needs it.
mkdirSync(join(folder, 'jiti', 'dist'));
cpSync(join(root, 'node_modules/jiti/dist/babel.cjs'), join(folder, 'jiti/dist/babel.cjs'));
