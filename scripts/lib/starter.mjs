import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, extname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { blankSourceFile } from 'ts-blank-space';
import ts from 'typescript';
import { stageFolder } from './npm-packages.mjs';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const project = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const templates = join(root, 'packages', 'create', 'templates');

/** The layers of each project, folders of `packages/create/templates`. A file replaces one of an earlier layer. */
const LAYERS = {
  express: ['base', 'common', 'node', 'express'],
  plain: ['base', 'common', 'node', 'plain'],
  next: ['base', 'common', 'next'],
  nuxt: ['base', 'common', 'nuxt'],
};
/** Where the jobs and the worker of the layer `common` are, if not at the top. Nuxt bundles only what is in its `server`. */
const JOBS_FOLDER = { nuxt: 'server' };
const JAVASCRIPT_ENDINGS = { '.ts': '.js', '.tsx': '.jsx' };
/** Packages that only TypeScript needs. */
const TYPES_ONLY = /^(@types\/.*|typescript|vue-tsc)$/;
/** A paragraph of a README about TypeScript. */
const ABOUT_TYPESCRIPT = /\n<!-- typescript -->\n[\s\S]*?\n(?=\n|$)/g;

/** Writes the content of the package `create-headway-jobs` to a folder with its name. */
export function stageStarter(to) {
  const target = stageFolder(to, 'create');
  cpSync(join(root, 'packages', 'create', 'create.mjs'), join(target, 'create.mjs'));
  stageProjects(join(target, 'templates'));
}

/**
 * Writes the projects that the program copies: for each framework one in TypeScript (`<framework>-ts`) and one in JavaScript
 * (`<framework>-js`), which is made from the other.
 */
function stageProjects(to) {
  for (const framework of Object.keys(LAYERS)) {
    const { manifest, files } = joinLayers(framework);
    writeProject(join(to, `${framework}-ts`), manifest, withoutMarks(files));
    writeProject(join(to, `${framework}-js`), untypedManifest(manifest), inJavaScript(files));
  }
}

/** Returns the package.json of a project, and the text of its other files by path. */
function joinLayers(framework) {
  let manifest = {};
  const files = {};
  for (const layer of LAYERS[framework]) {
    for (const [path, text] of Object.entries(filesOfLayer(layer, framework))) {
      if (path === '_package.json') manifest = merge(manifest, JSON.parse(text));
      else files[path] = text;
    }
  }
  for (const group of ['dependencies', 'devDependencies']) {
    manifest[group] = Object.fromEntries(
      Object.entries(manifest[group])
        .sort()
        .map(([name, version]) => [name, version || versionOf(name)]),
    );
  }
  return { manifest: { ...manifest, engines: project.engines }, files };
}

/** Returns the files of a layer, at their places in the project of a framework. */
function filesOfLayer(layer, framework) {
  const files = filesOf(join(templates, layer));
  const folder = JOBS_FOLDER[framework];
  if (layer !== 'common' || !folder) return files;
  return Object.fromEntries(
    Object.entries(files).map(([path, text]) => [
      dirname(path) === '.' ? join(folder, path) : path,
      text.replace("'../jobs.ts'", `'../${folder}/jobs.ts'`),
    ]),
  );
}

/** Returns the version of a package for which the templates state none: the one that this repository has and tests. */
function versionOf(name) {
  if (name.startsWith('headway-')) return `^${project.version}`;
  const version = project.dependencies[name] ?? project.devDependencies[name];
  if (!version) throw new Error(`the templates need a version of ${name}`);
  return version;
}

const merge = (a, b) =>
  Object.fromEntries(
    [...new Set([...Object.keys(a), ...Object.keys(b)])].map((key) => {
      const isGroup = typeof a[key] === 'object' && typeof b[key] === 'object';
      return [key, isGroup ? { ...a[key], ...b[key] } : (b[key] ?? a[key])];
    }),
  );

const withoutMarks = (files) =>
  Object.fromEntries(
    Object.entries(files).map(([path, text]) => [path, text.replaceAll('\n<!-- typescript -->\n', '\n')]),
  );

function untypedManifest(manifest) {
  const without = (group, pattern) =>
    Object.fromEntries(Object.entries(group).filter(([name]) => !pattern.test(name)));
  const scripts = Object.entries(without(manifest.scripts, /^typecheck$/)).map(([name, command]) => [
    name,
    command.replace('--import headway-jobs/typescript ', '').replace(/\.ts\b/g, '.js'),
  ]);
  const { devDependencies, ...others } = manifest;
  const untyped = without(devDependencies, TYPES_ONLY);
  return {
    ...others,
    scripts: Object.fromEntries(scripts),
    ...(Object.keys(untyped).length > 0 ? { devDependencies: untyped } : {}),
  };
}

/** Returns the files of a project without types. */
function inJavaScript(files) {
  const renamed = Object.keys(files).filter((path) => extname(path) in JAVASCRIPT_ENDINGS);
  const newPath = (path) =>
    renamed.includes(path) ? path.replace(/\.tsx?$/, (ending) => JAVASCRIPT_ENDINGS[ending]) : path;
  /** Other files and imports name the renamed ones. */
  const withNewNames = (text) =>
    renamed.reduce((result, path) => result.replaceAll(basename(path), basename(newPath(path))), text);
  return Object.fromEntries(
    Object.entries(files)
      .filter(([path]) => basename(path) !== 'tsconfig.json')
      .map(([path, text]) => {
        const untyped = withoutTypes(path, text.replace(ABOUT_TYPESCRIPT, '\n'));
        return [newPath(path), withNewNames(untyped)];
      }),
  );
}

/** Removes the types from code. The types of imports leave no line. */
function withoutTypes(path, text) {
  if (path.endsWith('.vue')) {
    return text.replace(/<script setup lang="ts">\n([\s\S]*?)<\/script>/, (_, code) => {
      return `<script setup>\n${withoutTypes('setup.ts', code)}</script>`;
    });
  }
  if (!(extname(path) in JAVASCRIPT_ENDINGS)) return text;
  const typed = text.replace(/^import type .*\n/gm, '');
  const kind = path.endsWith('.tsx') ? ts.ScriptKind.TSX : ts.ScriptKind.TS;
  const source = ts.createSourceFile(path, typed, ts.ScriptTarget.ESNext, false, kind);
  const code = blankSourceFile(source, () => {
    throw new Error(`${path}: JavaScript cannot be made from this TypeScript`);
  });
  if (code === text) return text;
  const biome = join(root, 'node_modules', '.bin', 'biome');
  return execFileSync(biome, ['format', `--stdin-file-path=${basename(path)}`], {
    cwd: root,
    input: code,
    encoding: 'utf8',
  });
}

/** Returns the text of each file of a folder, by its path in it. */
const filesOf = (folder) =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [relative(folder, path), readFileSync(path, 'utf8')]),
  );

function writeProject(folder, manifest, files) {
  const all = { ...files, 'package.json': `${JSON.stringify(manifest, null, 2)}\n` };
  for (const [path, text] of Object.entries(all)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}
