import { spawn } from 'node:child_process';
import { join } from 'node:path';

/**
 * Compiles as files change; API and worker run under `node --watch`, which starts them again when what they
 * have loaded has changed.
 */
export function startDevelopment(root) {
  const bin = (name) => join(root, 'node_modules', '.bin', name);
  const options = { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], detached: true };
  const watchers = [
    spawn(bin('tsc'), ['-p', 'tsconfig.build.json', '--watch', '--preserveWatchOutput'], options),
    spawn(bin('vite'), ['build', 'src/web', '--watch', '--logLevel', 'warn'], options),
  ];
  return {
    nodeArgs: ['--watch', '--watch-preserve-output'],
    async stop() {
      for (const watcher of watchers) watcher.kill('SIGTERM');
    },
  };
}
