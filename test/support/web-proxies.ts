import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '../../scripts/lib/command.mjs';
import { atExit } from './at-exit.js';
import { temporaryFolder } from './folder.js';
import { freePort } from './redis.js';
import { until } from './until.js';

export type ProxyName = 'nginx' | 'caddy' | 'haproxy';

/** Returns the path of a proxy's program, or undefined. Debian keeps two of them in a folder for administrators. */
export const proxyProgram = (name: ProxyName): string | undefined => {
  const { PATH } = process.env;
  process.env.PATH = `${PATH}:/usr/sbin`;
  const program = findProgram(name);
  process.env.PATH = PATH;
  return program;
};

export interface WebProxy {
  url: string;
  /** Returns what the proxy has logged. */
  log(): string;
  /** Loads the configuration again, as an operator does after a change. */
  reload(): Promise<void>;
  stop(): Promise<void>;
}

/** Ports and files that the configuration of `deploy/` gets in place of its own. */
interface Place {
  folder: string;
  http: number;
  https: number;
  /** The ports of the API processes. */
  apis: number[];
  certificate: string;
  key: string;
}

const running = new Set<ChildProcess>();
atExit(() => {
  for (const child of running) child.kill('SIGKILL');
});

/**
 * Starts a proxy with the configuration in `deploy/`, changed only in its ports, its name, its certificate and the number of API
 * processes.
 */
export async function startWebProxy(name: ProxyName, apis: number[]): Promise<WebProxy> {
  const folder = temporaryFolder();
  const [http, https] = [await freePort(), await freePort()];
  const place = { folder, http, https, apis, ...certificateIn(folder) };
  const { args, reload } = await proxies[name](place);
  const child = spawn(proxyProgram(name)!, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    // Caddy keeps its state below the home folder.
    env: { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
  });
  running.add(child);
  let output = '';
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (data) => (output += data));
  const exited = once(child, 'exit').finally(() => running.delete(child));
  const url = `https://localhost:${https}`;
  const answers = (): Promise<boolean> =>
    fetch(`http://localhost:${http}/`, { redirect: 'manual' }).then(
      ({ status }) => status === 308,
      () => false,
    );
  await until(
    () => `${name} redirects to HTTPS: ${output}`,
    () => {
      if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}: ${output}`);
      return answers();
    },
  );
  return {
    url,
    log() {
      const file = join(folder, 'access.log');
      return output + (existsSync(file) ? readFileSync(file, 'utf8') : '');
    },
    reload: async () => reload(child),
    async stop() {
      child.kill(name === 'haproxy' ? 'SIGUSR1' : 'SIGTERM');
      const forced = setTimeout(() => child.kill('SIGKILL'), 2000);
      await exited;
      clearTimeout(forced);
    },
  };
}

type Start = (place: Place) => Promise<{ args: string[]; reload(child: ChildProcess): void }>;

const proxies: Record<ProxyName, Start> = {
  async nginx({ folder, http, https, apis, certificate, key }) {
    const site = edited('nginx/headway.conf', {
      'listen 80;': `listen 127.0.0.1:${http};`,
      'listen [::]:80;': `listen [::1]:${http};`,
      'listen 443 ssl': `listen 127.0.0.1:${https} ssl`,
      'listen [::]:443 ssl': `listen [::1]:${https} ssl`,
      '/etc/nginx/tls/headway.crt': certificate,
      '/etc/nginx/tls/headway.key': key,
      '/var/log/nginx': folder,
    });
    const upstream = edited('nginx/upstream.conf', {
      '    server 127.0.0.1:3000 max_fails=0;\n    server 127.0.0.1:3001 max_fails=0;': apis
        .map((port) => `    server 127.0.0.1:${port} max_fails=0;`)
        .join('\n'),
    });
    // What the packages of nginx have in /etc/nginx/nginx.conf. With the timeout, a reload disconnects viewers.
    const main = `
      daemon off; pid ${folder}/nginx.pid; error_log stderr; worker_processes 2; worker_shutdown_timeout 1s;
      ${process.getuid?.() === 0 ? 'user root;' : ''}
      events { worker_connections 1024; }
      http {
        ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
          .map((kind) => `${kind}_temp_path ${folder}/${kind};`)
          .join(' ')}
        ${upstream}
        ${site}
      }`;
    const file = join(folder, 'nginx.conf');
    writeFileSync(file, main);
    return {
      args: ['-c', file, '-e', 'stderr', '-p', folder],
      reload: (child) => void child.kill('SIGHUP'),
    };
  },

  async caddy({ folder, http, https, apis, certificate, key }) {
    const admin = await freePort();
    const file = join(folder, 'Caddyfile');
    writeFileSync(
      file,
      edited('caddy/Caddyfile', {
        '\tgrace_period 10s': `\tgrace_period 1s\n\tadmin 127.0.0.1:${admin}\n\thttp_port ${http}\n\thttps_port ${https}\n\tskip_install_trust`,
        'headway.example.org {': `localhost {\n\ttls ${certificate} ${key}`,
        '127.0.0.1:3000 127.0.0.1:3001': apis.map((port) => `127.0.0.1:${port}`).join(' '),
      }),
    );
    return {
      args: ['run', '--config', file, '--adapter', 'caddyfile'],
      reload() {
        const args = ['reload', '--force', '--config', file, '--adapter', 'caddyfile'];
        execFileSync(proxyProgram('caddy')!, [...args, '--address', `127.0.0.1:${admin}`], {
          stdio: 'ignore',
        });
      },
    };
  },

  async haproxy({ folder, http, https, apis, certificate, key }) {
    const pem = join(folder, 'headway.pem');
    writeFileSync(pem, readFileSync(certificate, 'utf8') + readFileSync(key, 'utf8'));
    const file = join(folder, 'haproxy.cfg');
    writeFileSync(
      file,
      edited('haproxy/haproxy.cfg', {
        'hard-stop-after 10s': 'hard-stop-after 1s',
        'maxconn 20000': 'maxconn 1000',
        'bind :80': `bind localhost:${http}`,
        'bind :443 ssl crt /etc/haproxy/headway.pem': `bind localhost:${https} ssl crt ${pem}`,
        '    server api-1 127.0.0.1:3000\n    server api-2 127.0.0.1:3001': apis
          .map((port, i) => `    server api-${i + 1} 127.0.0.1:${port}`)
          .join('\n'),
      }),
    );
    // As in Debian's unit: a master process, which starts a new worker when it gets SIGUSR2.
    return { args: ['-W', '-f', file], reload: (child) => void child.kill('SIGUSR2') };
  },
};

/** Returns a file of `deploy/` with some of its text replaced. @throws if it does not have such a text */
function edited(path: string, changes: Record<string, string>): string {
  let text = readFileSync(join('deploy', path), 'utf8');
  for (const [from, to] of Object.entries(changes)) {
    if (!text.includes(from)) throw new Error(`deploy/${path} has no "${from}"`);
    text = text.replaceAll(from, to);
  }
  return text;
}

function certificateIn(folder: string): { certificate: string; key: string } {
  mkdirSync(folder, { recursive: true });
  const [certificate, key] = [join(folder, 'headway.crt'), join(folder, 'headway.key')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  execFileSync('openssl', ['req', '-x509', ...curve, ...subject, '-keyout', key, '-out', certificate], {
    stdio: 'ignore',
  });
  return { certificate, key };
}
