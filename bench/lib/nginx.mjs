// nginx of the machine with TLS and the configuration of deploy/nginx, for one API process.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { freePort } from '../../scripts/lib/free-port.mjs';
import { root, sleep, temporaryFolder } from './processes.mjs';

/**
 * Starts nginx with one worker process.
 * @param connections how many viewers it must bear
 * @returns its address, its process id and a function that stops it; `undefined` if it is not installed
 */
export async function startNginx(apiUrl, connections) {
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` };
  const folder = temporaryFolder();
  const [http, https] = [await freePort(), await freePort()];
  const [certificate, key] = [join(folder, 'headway.crt'), join(folder, 'headway.key')];
  const request =
    'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost';
  execFileSync('openssl', [...request.split(' '), '-keyout', key, '-out', certificate], { stdio: 'ignore' });
  const site = readFileSync(join(root, 'deploy/nginx/headway.conf'), 'utf8')
    .replaceAll(/^ *listen \[::\].*\n/gm, '')
    .replace('listen 80;', `listen 127.0.0.1:${http};`)
    .replace('listen 443 ssl http2;', `listen 127.0.0.1:${https} ssl;`)
    .replace('/etc/nginx/tls/headway.crt', certificate)
    .replace('/etc/nginx/tls/headway.key', key)
    .replaceAll('/var/log/nginx', folder);
  const bodies = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${folder}/${kind};`,
  );
  const file = join(folder, 'nginx.conf');
  writeFileSync(
    file,
    `daemon off; pid ${folder}/nginx.pid; error_log stderr; worker_processes 1; worker_rlimit_nofile ${3 * connections + 300};
${process.getuid() === 0 ? 'user root;' : ''}
events { worker_connections ${3 * connections + 200}; }
http {
  ${bodies.join(' ')}
  upstream headway { server ${new URL(apiUrl).host} max_fails=0; keepalive 64; }
  ${site}
}`,
  );
  const child = spawn('nginx', ['-c', file, '-e', 'stderr', '-p', folder], {
    env,
    stdio: 'ignore',
  });
  const isMissing = await new Promise((resolve) => {
    child.once('error', () => resolve(true)).once('spawn', () => resolve(false));
  });
  if (isMissing) return undefined;
  // With SIGKILL, its worker process would go on.
  process.on('exit', () => child.kill());
  while (!(await listens(https))) await sleep(20);
  return {
    url: `https://127.0.0.1:${https}`,
    pid: child.pid,
    async stop() {
      child.kill();
      await once(child, 'exit');
    },
  };
}

const listens = (port) =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
