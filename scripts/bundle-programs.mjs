// npm run build:programs: bundles our own code for the API, the worker, its threads and the command line into
// dist/programs, and makes their main files load the bundle. Loading about 250 small files takes a quarter of an API's start.
// `npm run dev` and `npm run build:server` compile main files that load no bundle, so that changes are seen.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { bundleFast } from './lib/bundle-fast.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');
const folder = join(dist, 'programs');
/** The main file of each program. */
const MAINS = {
  api: join(dist, 'api', 'main.js'),
  worker: join(dist, 'worker', 'main.js'),
  thread: join(dist, 'worker', 'run', 'thread', 'entry.js'),
  headway: join(dist, 'client', 'cli', 'main.js'),
};
/** What sets flags of V8 for a program. It runs before the bundle is loaded: compiled code is only valid under the same flags. */
const FLAGS = { api: join(dist, 'api', 'garbage-collection.js') };
/** Job files, which are not bundled, throw and catch these errors: there must be one copy of each class. */
const ERRORS = join(dist, 'shared', 'errors.js');

for (const main of Object.values(MAINS)) {
  if (readFileSync(main, 'utf8').includes('/programs/')) {
    console.error(`${main} loads a bundle already: run "npm run build", which compiles first`);
    process.exit(1);
  }
}

const build = await rolldown({
  input: MAINS,
  platform: 'node',
  // Packages are bundled apart (bundle-packages.mjs), because files outside of these bundles share them.
  external: (id) => !id.startsWith('.') && !id.startsWith('/'),
  plugins: [
    {
      name: 'own-place',
      resolveId: (id, importer) =>
        id.endsWith('/errors.js') && resolve(dirname(importer), id) === ERRORS
          ? { id: relative(folder, ERRORS), external: true }
          : null,
      // A module finds the files beside it, such as Lua scripts, from the place where it was before.
      transform: (code, id) =>
        code.replaceAll(
          'import.meta.url',
          `new URL(${JSON.stringify(relative(folder, id))}, import.meta.url).href`,
        ),
    },
  ],
});
rmSync(folder, { recursive: true, force: true });
await build.write({
  dir: folder,
  format: 'esm',
  entryFileNames: '[name].js',
  chunkFileNames: 'shared-[hash].js',
});

const fast = await bundleFast(root, dist, MAINS, ERRORS);
for (const [name, main] of Object.entries(MAINS)) {
  const pathOf = (file) => {
    const path = relative(dirname(main), file);
    return path.startsWith('.') ? path : `./${path}`;
  };
  const stub = name === 'thread' ? threadStub : programStub;
  writeFileSync(
    main,
    stub({
      loader: pathOf(fast.loader),
      run: `runProgram('${name}', '${fast.bundles[name]}')`,
      published: pathOf(join(folder, `${name}.js`)),
      flags: FLAGS[name] && pathOf(FLAGS[name]),
    }),
  );
}

/** Returns the text of the main file of a program. */
function programStub({ loader, run, published, flags }) {
  return `#!/usr/bin/env node
import { existsSync } from 'node:fs';
${flags ? `import '${flags}';\n` : ''}// The published server has no bundled packages.
const loader = new URL('${loader}', import.meta.url);
if (existsSync(loader)) (await import(loader.href)).${run};
else await import('${published}');
`;
}

/** Returns the text of the module that a thread loads. Piscina cannot load one that awaits. */
function threadStub({ loader, run, published }) {
  return `import { existsSync } from 'node:fs';
// The published server has no bundled packages.
const loader = new URL('${loader}', import.meta.url);
const program = existsSync(loader)
  ? import(loader.href).then((loaded) => loaded.${run})
  : import('${published}');
export default async (task) => (await program).default(task);
`;
}
