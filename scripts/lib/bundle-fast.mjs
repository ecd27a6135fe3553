import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { parseAst } from 'rolldown/parseAst';
import { bundleOf } from './load-program.mjs';
import { PACKAGES } from './package-names.mjs';

/** Only in these bundles: elsewhere, pino looks for the files of its threads beside its own. We start none of them. */
const ONLY_HERE = ['pino'];

const bundled = [...PACKAGES, ...ONLY_HERE].filter((name) => name !== 'jiti');

/** Job files load these too, and the programs look into the schemas of jobs: there must be one copy. */
const SHARED = ['zod'];

/**
 * Bundles the programs together with their packages into CommonJS in dist/node_modules/.programs, from where
 * `load-program.mjs` loads them with the code that V8 has compiled before. It is not published: see bundle-packages.mjs.
 * @returns the path of the loader, and the name of the main bundle of each program
 */
export async function bundleFast(root, dist, mains, errors) {
  const folder = join(dist, 'node_modules', '.programs');
  const inRoot = join(root, 'package.json');
  const build = await rolldown({
    input: { ...mains, ...Object.fromEntries(SHARED.map((name) => [name, name])) },
    platform: 'node',
    logLevel: 'silent',
    plugins: [
      {
        name: 'own-place',
        async resolveId(id, importer) {
          if (id.endsWith('/errors.js') && importer && resolve(dirname(importer), id) === errors) {
            return { id: relative(folder, errors), external: true };
          }
          if (/^[./]/.test(id) || importer?.includes('/node_modules/')) return null;
          // From the root: dist/node_modules has bundles already.
          if (bundled.includes(id)) return this.resolve(id, inRoot, { skipSelf: true });
          return { id, external: true };
        },
        // What a script has no `import.meta` for: see load-program.mjs.
        transform: (code, id) =>
          code
            .replace(/^#!.*/, '')
            .replaceAll('import.meta.url', `new URL(${JSON.stringify(relative(folder, id))}, __url).href`)
            .replaceAll('import.meta.resolve', '__resolve'),
        renderChunk: withoutImports,
      },
    ],
    // BullMQ only packs with msgpackr. The native code, whose loading takes 9 ms, is for unpacking.
    transform: { define: { 'process.env.MSGPACKR_NATIVE_ACCELERATION_DISABLED': '"true"' } },
  });
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const { output } = await build.write({
    dir: folder,
    format: 'cjs',
    // A bundle with a default export only would be that export.
    exports: 'named',
    // Compiled code belongs to one text: a new text has a new name.
    entryFileNames: '[name]-[hash].cjs',
    chunkFileNames: 'shared-[hash].cjs',
    // They are a tenth of the text, which each process reads.
    comments: false,
  });
  const loader = join(folder, 'load.mjs');
  copyFileSync(fileURLToPath(new URL('load-program.mjs', import.meta.url)), loader);
  const bundles = {};
  for (const chunk of output) {
    // Not in `renderChunk`: what that returns is printed again, without escapes.
    writeFileSync(join(folder, chunk.fileName), bundleOf(ascii(chunk.code)));
    if (!chunk.isEntry) continue;
    bundles[chunk.name] = chunk.fileName;
    if (SHARED.includes(chunk.name)) writeShared(dist, chunk);
  }
  return { loader, bundles };
}

/** Makes a package of dist/node_modules export what the bundle of the programs does. */
function writeShared(dist, { name, fileName, exports }) {
  const lines = exports.map((key, index) => `const e${index} = bundle[${JSON.stringify(key)}];`);
  const names = exports.map((key, index) => `e${index} as ${key}`);
  const file = join(dist, 'node_modules', name, 'lib', 'index.mjs');
  writeFileSync(
    file,
    `import { load } from '../../.programs/load.mjs';
const bundle = load('${fileName}');
${lines.join('\n')}
export { ${names.join(', ')} };
`,
  );
}

/** Replaces `import(…)` by a call of a function: a script that was compiled before cannot import. */
function withoutImports(code) {
  const starts = [];
  const visit = (node) => {
    if (node === null || typeof node !== 'object') return;
    if (node.type === 'ImportExpression') starts.push(node.start);
    for (const child of Object.values(node)) visit(child);
  };
  visit(parseAst(code));
  return starts
    .sort((a, b) => b - a)
    .reduce((text, at) => `${text.slice(0, at)}__import${text.slice(at + 'import'.length)}`, code);
}

/** Escapes other characters than ASCII: V8 reads a text of one-byte characters faster. */
function ascii(code) {
  const escaped = /(?<!\\)(?:\\\\)*\\[^\0-\x7f]/.exec(code);
  if (escaped) throw new Error(`a backslash before a character that is to be escaped: ${escaped[0]}`);
  return code.replace(/[^\0-\x7f]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
