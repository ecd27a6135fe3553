// The image's health check: whether the process responds on its port, `PORT` for an API process and `METRICS_PORT` for a
// worker. It does not ask Redis: a restart would not bring Redis back, and would make all viewers reconnect.
import { readdirSync, readFileSync } from 'node:fs';

const { PORT = '3000', METRICS_PORT = '9464' } = process.env;

/** Process 1 is the entry point, or an init process that has started it. */
function roleOfContainer() {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const [, script, ...args] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    if (script?.endsWith('/entry.mjs')) return args.find((arg) => arg && !arg.startsWith('--')) ?? 'api';
  }
  throw new Error('no process of Headway runs');
}

try {
  const isWorker = roleOfContainer() === 'worker';
  // Any path of the worker's port will do: /metrics would compute all metrics.
  const url = `http://127.0.0.1:${isWorker ? METRICS_PORT : PORT}/healthz`;
  const { status } = await fetch(url, { signal: AbortSignal.timeout(4000) });
  if (status !== (isWorker ? 404 : 200)) throw new Error(`${url} returned ${status}`);
} catch (error) {
  console.error(`unhealthy: ${error.cause?.message ?? error.message}`);
  process.exit(1);
}
