import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { freePort } from '../../scripts/lib/free-port.mjs';
import { START_ARGS } from '../../scripts/lib/service.mjs';
import { ensureRedisServer } from '../../scripts/lib/system.mjs';

const probe = new URL('./probe.mjs', import.meta.url).href;
/** The root of the repository. */
export const root = fileURLToPath(new URL('../..', import.meta.url));
const children = new Set();
const folders = new Set();
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

export function temporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'headway-bench-'));
  folders.add(folder);
  return folder;
}

/**
 * Runs a script as a process that can be measured. Resolves with the first message of the process. `probe` returns the
 * CPU time so far in µs, and the heap, the resident memory and its peak in bytes.
 */
export async function startMeasured(script, env, args = []) {
  const child = fork(join(root, script), args, {
    env: { PATH: process.env.PATH, LOG_LEVEL: 'warn', NODE_ENV: 'production', ...env },
    execArgv: ['--expose-gc', '--import', probe, ...(script.startsWith('dist/api') ? START_ARGS.api : [])],
  });
  children.add(child);
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`${script} ended with ${code}`);
  });
  const [said] = await Promise.race([once(child, 'message'), ended]);
  return {
    ...said,
    pid: child.pid,
    send: (message) => child.send(message),
    next: async () => (await once(child, 'message'))[0],
    async probe({ gc = false } = {}) {
      child.send({ type: 'probe', gc });
      for (;;) {
        const [message] = await once(child, 'message');
        if (message.type === 'probed') return message;
      }
    },
    async stop() {
      child.kill('SIGKILL');
      await once(child, 'exit');
      children.delete(child);
    },
  };
}

/**
 * Runs a private Redis. `client` knows the scripts; `cpuUs` returns the CPU time that the server has used (Linux only),
 * `usedMemory` its memory in bytes.
 * @param options.args further arguments of redis-server
 */
export async function startRedis({ scripts, args = [] } = {}) {
  const port = await freePort();
  const program = await ensureRedisServer();
  const child = spawn(
    program,
    ['--port', port, '--bind', '127.0.0.1', '--save', '', '--dir', temporaryFolder(), ...args],
    {
      stdio: 'ignore',
    },
  );
  children.add(child);
  const client = new Redis(port, '127.0.0.1', {
    retryStrategy: () => 50,
    maxRetriesPerRequest: null,
    scripts,
  });
  client.on('error', () => {});
  await client.ping();
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    client,
    cpuUs() {
      const stat = readFileSync(`/proc/${child.pid}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return (Number(fields[11]) + Number(fields[12])) * 10_000;
    },
    /** The scripts that have been called since `client.config('RESETSTAT')`. */
    async scriptCalls() {
      const stats = await client.info('commandstats');
      return [...stats.matchAll(/^cmdstat_(?:eval|fcall)\w*:calls=(\d+)/gm)].reduce(
        (sum, [, calls]) => sum + Number(calls),
        0,
      );
    },
    async usedMemory() {
      return Number(/^used_memory:(\d+)/m.exec(await client.info('memory'))[1]);
    },
    async stop() {
      client.disconnect();
      child.kill('SIGKILL');
      await once(child, 'exit');
      children.delete(child);
    },
  };
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
