import childProcess from 'node:child_process';
import { syncBuiltinESMExports } from 'node:module';

// Unit tests run without Redis and without a build, so they start nothing.
for (const name of ['spawn', 'fork', 'exec', 'execFile', 'spawnSync', 'execSync', 'execFileSync'] as const) {
  Object.assign(childProcess, {
    [name]: () => {
      throw new Error('a unit test must not start a process (see scripts/lib/test-kinds.mjs)');
    },
  });
}
syncBuiltinESMExports();
