import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { temporaryFolder } from './processes.js';

const run = promisify(execFile);

/** What a user's own project may have beside Headway. */
const PEERS = ['react', 'react-dom', 'vue', 'vite', '@vitejs/plugin-vue'];
const TYPES = ['@types/react', '@types/react-dom', '@types/node', '@types/express'];

/** An empty project into which the package, as `npm pack` makes it, was put. */
export interface TestProject {
  folder: string;
  tarball: string;
  /** Writes a file of the project's own. */
  write(path: string, content: string): void;
}

/**
 * Packs, and puts what came of it into an empty project, where npm would put it. The dependencies that the package names
 * are those that are here already: none of it is asked of a registry.
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
