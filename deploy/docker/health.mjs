// The image's health check: whether the process responds on its port, `PORT` for an API process and `METRICS_PORT` for a
// worker. It does not ask Redis: a restart would not bring Redis back, and would make all viewers reconnect.
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';

const { PORT = '3000', METRICS_PORT = '9464', TLS_CERT = '' } = process.env;

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
  const isTls = !isWorker && TLS_CERT !== '';
  const url = `${isTls ? 'https' : 'http'}://127.0.0.1:${isWorker ? METRICS_PORT : PORT}/healthz`;
  // The certificate has another name, and need not be one that this image trusts.
  const options = { signal: AbortSignal.timeout(4000), ...(isTls ? { rejectUnauthorized: false } : {}) };
  const [response] = await once((isTls ? https : http).get(url, options), 'response');
  response.destroy();
  const { statusCode: status } = response;
  if (status !== (isWorker ? 404 : 200)) throw new Error(`${url} returned ${status}`);
} catch (error) {
  console.error(`unhealthy: ${error.cause?.message ?? error.message}`);
  process.exit(1);
}
