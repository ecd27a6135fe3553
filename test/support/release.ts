import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The commit of the release that users upgrade from. Each release replaces it. */
export const PREVIOUS_RELEASE = 'b3a8090464d25842d3ce26c2cc3d7e487851937c';

/** Whether this checkout has the history that {@link buildRelease} needs. A shallow clone does not. */
export function hasCommit(commit: string): boolean {
  try {
    execFileSync('git', ['cat-file', '-e', `${commit}^{commit}`], { cwd: root, stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/**
 * Builds the server of another commit, with the packages that are installed here. A later call reuses the build.
 * @returns the folder that contains `dist`
 */
export function buildRelease(commit: string): string {
  const folder = join(root, 'node_modules', '.cache', 'headway-releases', commit);
  if (existsSync(folder)) return folder;
  // Built elsewhere and moved, so that an interrupted build is not taken for a finished one.
  const work = `${folder}.${process.pid}`;
  mkdirSync(work, { recursive: true });
  try {
    const run = (program: string, ...args: string[]): unknown =>
      execFileSync(program, args, { cwd: work, stdio: ['ignore', 'ignore', 'inherit'] });
    execFileSync('git', ['archive', '--format=tar', `--output=${work}/source.tar`, commit], { cwd: root });
    run('tar', '-xf', 'source.tar', 'src', 'scripts', 'package.json', 'tsconfig.json', 'tsconfig.build.json');
    symlinkSync(join(root, 'node_modules'), join(work, 'node_modules'));
    // The types were checked when it was released.
    const options = ['-p', 'tsconfig.build.json', '--noCheck', '--declaration', 'false', '--singleThreaded'];
    run(join(work, 'node_modules/@typescript/native/bin/tsc'), ...options);
    run(process.execPath, 'scripts/copy-lua.mjs');
    rmSync(join(work, 'source.tar'));
    renameSync(work, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return folder;
}
