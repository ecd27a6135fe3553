import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './command.mjs';
import { Stop, say } from './say.mjs';

// Includes the lock file, because dist/node_modules contains the installed packages.
const SOURCES = [
  'src',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'scripts/bundle-packages.mjs',
  'scripts/bundle-programs.mjs',
  'scripts/lib/bundle-fast.mjs',
  'scripts/lib/load-program.mjs',
  'scripts/lib/package-names.mjs',
];

/** Builds if anything has changed since the last build. */
export async function ensureBuild(root) {
  const stamp = join(root, 'dist', '.built');
  const newest = Math.max(...SOURCES.map((path) => newestIn(join(root, path))));
  if (existsSync(stamp) && statSync(stamp).mtimeMs >= newest) return;
  say('Building…');
  const code = await run('npm', ['run', '--silent', 'build'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (code !== 0) throw new Stop('the build failed; its output is above (npm run build shows all of it)');
  writeFileSync(stamp, '');
}

function newestIn(path) {
  const stats = statSync(path);
  if (!stats.isDirectory()) return stats.mtimeMs;
  // The folder's own modification time counts too: it changes when a file is removed.
  return Math.max(stats.mtimeMs, ...readdirSync(path).map((name) => newestIn(join(path, name))));
}
