import { spawn, spawnSync } from 'node:child_process';
import { existsSync, utimesSync, watch } from 'node:fs';
import { join } from 'node:path';
import { GUARD } from './supervisor.mjs';

/**
 * Compiles files when they change. API and worker run under `node --watch`, which restarts them when a loaded file has
 * changed.
 */
export function startDevelopment(root) {
  const bin = (name) => join(root, 'node_modules', '.bin', name);
  // The build's native compiler is the child of a program that passes no signals on.
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const options = { cwd: root, stdio: ['ignore', 'inherit', 'inherit', 'ipc'], detached: true };
  const guarded = (...command) => spawn(process.execPath, [GUARD, '{}', ...command], options);
  const watchers = [
    guarded(tsc, '-p', 'tsconfig.build.json', '--watch', '--preserveWatchOutput'),
    guarded(tsc, '-p', 'src/client/tsconfig.json', '--watch', '--preserveWatchOutput'),
    guarded(bin('vite'), 'build', 'src/web', '--watch', '--logLevel', 'warn'),
  ];
  // Lua scripts are read, not imported, so `node --watch` does not see their changes.
  const scripts = watch(join(root, 'src', 'shared'), { recursive: true }, (_event, file) => {
    if (!file?.endsWith('.lua')) return;
    spawnSync(process.execPath, [join(root, 'scripts', 'copy-lua.mjs')], { cwd: root });
    const now = new Date();
    for (const main of ['api', 'worker'].map((name) => join(root, 'dist', name, 'main.js'))) {
      if (existsSync(main)) utimesSync(main, now, now);
    }
  });
  return {
    nodeArgs: ['--watch', '--watch-preserve-output'],
    async stop() {
      scripts.close();
      for (const watcher of watchers) watcher.kill('SIGTERM');
    },
  };
}
