import { execFile } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { FOLDERS, manifestOf, nameOf, stagePackages } from '../../scripts/lib/npm-packages.mjs';
import { temporaryFolder } from './folder.js';

const run = promisify(execFile);

/** Packages that a user's project may have beside Headway. */
const PEERS = [
  'fastify',
  'hono',
  'react',
  'react-dom',
  'svelte',
  'vue',
  'vite',
  '@hono/node-server',
  '@sveltejs/vite-plugin-svelte',
  '@vitejs/plugin-vue',
];
const TYPES = ['@types/react', '@types/react-dom', '@types/node', '@types/express'];

/** A separate project with the packages of this repository installed. */
export interface TestProject {
  folder: string;
  /** Writes a file of the project. */
  write(path: string, content: string): void;
}

/**
 * Puts what the packages contain into an empty project, where npm would install them. What they require are links to the
 * packages of this repository, so no registry is asked. What only some features need is not there.
 */
export function packedProject(): TestProject {
  const folder = temporaryFolder();
  const modules = join(folder, 'node_modules');
  stagePackages(modules);
  const required = Object.keys(manifestOf('server').dependencies ?? {});
  for (const name of [...required, ...PEERS, ...TYPES]) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(process.cwd(), 'node_modules', name), join(modules, name));
  }
  const write = (path: string, content: string): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  };
  write('package.json', '{"private": true, "type": "module"}');
  return { folder, write };
}

/** Packs the packages that a project has. @returns the paths of the tarballs */
export async function packTarballs({ folder }: TestProject): Promise<Record<'client' | 'server', string>> {
  const packed = FOLDERS.map((each) => `./${nameOf(each)}`);
  await run('npm', ['pack', '--silent', '--ignore-scripts', ...packed], {
    cwd: join(folder, 'node_modules'),
  });
  const tarball = (each: 'client' | 'server'): string =>
    join(folder, 'node_modules', `${nameOf(each)}-${manifestOf(each).version}.tgz`);
  return { client: tarball('client'), server: tarball('server') };
}
