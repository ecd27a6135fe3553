import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformSync } from 'rolldown/utils';

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
    run('tar', '-xf', 'source.tar', 'src', 'scripts', 'package.json');
    symlinkSync(join(root, 'node_modules'), join(work, 'node_modules'));
    compile(work);
    run(process.execPath, 'scripts/copy-lua.mjs');
    rmSync(join(work, 'source.tar'));
    renameSync(work, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return folder;
}

/** Compiles the server file by file: its types were checked when it was released, and this takes a fifth of the CPU of tsc. */
function compile(folder: string): void {
  for (const room of ['shared', 'api', 'worker']) {
    for (const file of readdirSync(join(folder, 'src', room), { recursive: true, encoding: 'utf8' })) {
      if (!file.endsWith('.ts')) continue;
      const from = join(folder, 'src', room, file);
      const { code, errors } = transformSync(from, readFileSync(from, 'utf8'), {
        target: 'es2022',
        typescript: { onlyRemoveTypeImports: true },
      });
      if (errors.length > 0) throw errors[0];
      const to = join(folder, 'dist', room, file.replace(/\.ts$/, '.js'));
      mkdirSync(dirname(to), { recursive: true });
      writeFileSync(to, code);
    }
  }
}
