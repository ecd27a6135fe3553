import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { temporaryFolder } from './processes.js';

const run = promisify(execFile);

/** Packages that a user's project may have beside Headway. */
const PEERS = ['react', 'react-dom', 'vue', 'vite', '@vitejs/plugin-vue'];
const TYPES = ['@types/react', '@types/react-dom', '@types/node', '@types/express'];

/** A separate project with the packed package installed. */
export interface TestProject {
  folder: string;
  tarball: string;
  /** Writes a file of the project. */
  write(path: string, content: string): void;
}

/**
 * Packs the package and unpacks it into an empty project, where npm would install it. Its dependencies are links to those
 * of this repository, so no registry is asked.
 */
export async function packedProject(): Promise<TestProject> {
  const folder = temporaryFolder();
  const modules = join(folder, 'node_modules');
  const own = join(modules, 'headway');
  mkdirSync(own, { recursive: true });
  const arguments_ = ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder];
  const { stdout } = await run('npm', arguments_);
  const tarball = join(folder, stdout.trim());
  await run('tar', ['-xzf', tarball, '-C', own, '--strip-components=1']);
  const { dependencies } = JSON.parse(readFileSync(join(own, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  for (const name of [...Object.keys(dependencies), ...PEERS, ...TYPES]) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(process.cwd(), 'node_modules', name), join(modules, name));
  }
  const write = (path: string, content: string): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  };
  write('package.json', '{"private": true, "type": "module"}');
  return { folder, tarball, write };
}
