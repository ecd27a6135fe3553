import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { manifestOf, nameOf, stagePackages } from '../../scripts/lib/npm-packages.mjs';
import { temporaryFolder } from './folder.js';
import type { TestProject } from './project.js';

/**
 * Creates the project of a recipe: the packages that `npm run test:recipes` has installed for it, and those of this
 * repository with what they require. None of them is a symbolic link, because bundlers of frameworks refuse those that lead
 * out of a project.
 */
export function recipeProject(name: string): TestProject {
  const folder = temporaryFolder();
  const modules = join(folder, 'node_modules');
  copy('-T', join(process.env.RECIPES!, name, 'node_modules'), modules);
  stagePackages(modules);
  const required = requiredPackages(Object.keys(manifestOf('server').dependencies ?? {}));
  copy('--parents', ...required, join(modules, nameOf('server')));
  // What the code of a recipe imports itself.
  copy('-T', 'node_modules/zod', join(modules, 'zod'));
  const write = (path: string, content: string): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  };
  const own = JSON.parse(readFileSync(join('test', 'recipes', name, 'package.json'), 'utf8'));
  const ours = { 'headway-jobs': '*', 'headway-client': '*', zod: '*' };
  // Bundlers of servers leave dependencies out of their output.
  write('package.json', JSON.stringify({ ...own, dependencies: { ...own.dependencies, ...ours } }));
  return { folder, write };
}

/** Hard links cost little. They need both folders on one file system. */
function copy(...paths: string[]): void {
  try {
    execFileSync('cp', ['-al', ...paths], { stdio: 'ignore' });
  } catch {
    execFileSync('cp', ['-a', ...paths]);
  }
}

/** Returns the paths of packages, and of all that they require, as npm has installed them for this repository. */
function requiredPackages(names: string[]): string[] {
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
    packages: Record<string, { dependencies?: Record<string, string> }>;
  };
  const found = new Set<string>();
  const visit = (name: string, from: string): void => {
    const path = `${from}node_modules/${name}`;
    if (packages[path] && !found.has(path)) {
      found.add(path);
      for (const required of Object.keys(packages[path].dependencies ?? {})) visit(required, `${path}/`);
    } else if (!packages[path] && from !== '')
      visit(name, from.replace(/node_modules\/(@[^/]+\/)?[^/]+\/$/, ''));
  };
  for (const name of names) visit(name, '');
  // The folder of a package contains the ones inside it.
  return [...found].filter((path) => path.lastIndexOf('node_modules/') === 0);
}
