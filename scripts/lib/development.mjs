import { spawn, spawnSync } from 'node:child_process';
import { existsSync, utimesSync, watch } from 'node:fs';
import { join } from 'node:path';
import { GUARD } from './supervisor.mjs';

/**
 * Compiles as files change; API and worker run under `node --watch`, which starts them again when what they
 * have loaded has changed.
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
  // The Lua scripts are read, not imported: whoever has read them has to be started again.
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
