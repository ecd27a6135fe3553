import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { findProgram } from '../../scripts/lib/command.mjs';
import { configSchema, readConfig } from '../../src/shared/process/config.js';
import { dockerfileSteps } from '../support/dockerfile.js';
import { block } from '../support/documentation.js';
import { temporaryFolder } from '../support/folder.js';

interface Service {
  image: string;
  command?: string[];
  environment?: Record<string, string>;
  read_only?: boolean;
  restart?: string;
  stop_grace_period?: string;
  volumes?: string[];
}
const compose = parse(readFileSync('deploy/compose.yaml', 'utf8'), { merge: true }) as {
  services: Record<string, Service>;
};
const services = Object.entries(compose.services);
const own = services.filter(([, { image }]) => image.startsWith('headway:'));
const unit = (role: string): string => readFileSync(`deploy/systemd/headway-${role}@.service`, 'utf8');

/** How long a process with these settings takes to stop at most, in seconds; see `onShutdown`. */
function stopSeconds(env: Record<string, string>): number {
  const { DRAIN_DELAY_MS, SHUTDOWN_GRACE_MS } = readConfig(env);
  return (Number(DRAIN_DELAY_MS || 5000) + SHUTDOWN_GRACE_MS + 7000) / 1000;
}

it.each([
  'package.json',
  'Procfile',
  'scripts/lib/service.mjs',
  'deploy/systemd/headway-api@.service',
  'deploy/compose.yaml',
  'deploy/helm/headway/templates/api.yaml',
])('%s bounds the young generation of the API', (file) => {
  expect(readFileSync(file, 'utf8')).toContain('--max-semi-space-size=4');
});

describe('the settings in deploy/', () => {
  it('are settings of Headway', () => {
    const image = dockerfileSteps(readFileSync('Dockerfile', 'utf8'))
      .filter(({ instruction }) => instruction === 'ENV')
      .flatMap(({ text }) => Array.from(text.matchAll(/(\w+)=/g), ([, name]) => name!));
    const processes = readFileSync('deploy/systemd/processes.conf', 'utf8');
    const units = [unit('api'), unit('worker'), processes].flatMap((file) =>
      Array.from(file.matchAll(/^Environment=(.*)$/gm), ([, text]) => text!).flatMap((text) =>
        text.split(' ').map((each) => each.split('=')[0]!),
      ),
    );
    const envFile = readFileSync('deploy/systemd/headway.env', 'utf8');
    const used = [
      ...image,
      ...units,
      ...Array.from(envFile.matchAll(/^([A-Z_]+)=/gm), ([, name]) => name!),
      ...own.flatMap(([, { environment }]) => Object.keys(environment!)),
    ].filter((name) => !['NODE_ENV', 'NODE_OPTIONS'].includes(name));
    const unknown = used.filter((name) => !(name in configSchema.shape));
    expect(unknown).toEqual([]);
    expect(used.length).toBeGreaterThan(20);
  });

  it('name only settings of Headway in comments, too', () => {
    // `NAME_MS`, `NAME_BYTES` and the names that other texts of deploy/ mention.
    const files = readdirSync('deploy', { recursive: true, encoding: 'utf8' })
      .filter((path) => /\.(conf|cfg|yaml|yml|service|env|tpl)$|Caddyfile$/.test(path))
      .map((path) => [path, readFileSync(join('deploy', path), 'utf8')] as const);
    const named = files.flatMap(([path, text]) =>
      Array.from(text.matchAll(/\b[A-Z]+(?:_[A-Z]+)*_(?:MS|BYTES|SECRET|HOSTS)\b/g), ([name]) => [
        path,
        name,
      ]),
    );
    expect(named.filter(([, name]) => !(name! in configSchema.shape))).toEqual([]);
    expect(named.length).toBeGreaterThan(10);
  });

  it('leave each process the time that it needs to stop', () => {
    for (const [name, { environment, stop_grace_period }] of own) {
      const settings = { HOST: '0.0.0.0', ...filled(environment!) };
      expect(Number.parseInt(stop_grace_period!, 10), name).toBeGreaterThan(stopSeconds(settings));
    }
    for (const role of ['api', 'worker']) {
      const [, seconds] = /^TimeoutStopSec=(\d+)$/m.exec(unit(role))!;
      expect(Number(seconds)).toBeGreaterThan(stopSeconds({ HOST: '0.0.0.0' }));
    }
  });
});

describe('compose.yaml', () => {
  it('runs two API processes and two workers on a read-only root, with one folder for files', () => {
    const roles = own.map(([, { command }]) => command).sort();
    expect(roles).toEqual([['api'], ['api'], ['worker'], ['worker']]);
    for (const [, service] of own) expect(service.volumes).toEqual(['files:/data']);
    for (const [name, { read_only, restart }] of services) {
      expect([name, read_only, restart]).toEqual([name, true, 'unless-stopped']);
    }
  });

  it('contains no secret', () => {
    const secrets = Object.entries(own[0]![1].environment!).filter(([name]) =>
      /SECRET|TOKEN|REDIS_URL/.test(name),
    );
    expect(secrets.length).toBe(4);
    for (const [, value] of secrets) expect(value).toMatch(/\$\{\w+:\?.*\}/);
  });

  it('gets secrets that Headway accepts from the commands of the documentation', () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'deploy'));
    execFileSync('bash', ['-euo', 'pipefail', '-c', block('compose-secrets')], {
      cwd: folder,
      stdio: 'pipe',
    });
    const lines = readFileSync(join(folder, 'deploy/.env'), 'utf8').trim().split('\n');
    const made = Object.fromEntries(lines.map((line) => /^([A-Z_]+)=(.+)$/.exec(line)!.slice(1)));
    const variables = readFileSync('deploy/compose.yaml', 'utf8').matchAll(/\$\{([A-Z_]+)/g);
    expect(Object.keys(made).sort()).toEqual(
      [...new Set(['COMPOSE_PROJECT_NAME', ...Array.from(variables, ([, name]) => name!)])].sort(),
    );
    readConfig({ ...made, REDIS_URL: `redis://:${made.REDIS_PASSWORD}@redis:6379` });
    expect(statSync(join(folder, 'deploy/.env')).mode & 0o077).toBe(0);
    execFileSync('openssl', ['x509', '-noout', '-in', join(folder, 'deploy/tls/headway.crt')]);
  });

  it('mounts files that exist', () => {
    const mounted = services.flatMap(([, { volumes = [] }]) =>
      volumes.filter((volume) => volume.startsWith('./')),
    );
    const made = ['./tls']; // by the operator
    const paths = mounted.map((volume) => volume.split(':')[0]!).filter((path) => !made.includes(path));
    expect(paths.filter((path) => !existsSync(join('deploy', path)))).toEqual([]);
    expect(paths.length).toBeGreaterThan(5);
  });

  // Docker itself is not there: this is the schema of Debian's docker-compose 1.29, which needs no daemon but five seconds.
  it.skipIf(process.env.TEST_DEPLOY !== '1' || !findProgram('docker-compose'))('is valid', () => {
    const names = [
      'REDIS_PASSWORD',
      'TOKEN_SECRET',
      'ADMIN_TOKEN',
      'WEBHOOK_SECRET',
      'PUBLIC_URL',
      'GRAFANA_PASSWORD',
    ];
    const env = { PATH: process.env.PATH, ...Object.fromEntries(names.map((name) => [name, 'x'])) };
    execFileSync('docker-compose', ['-f', 'deploy/compose.yaml', 'config', '--quiet'], {
      env,
      stdio: 'pipe',
    });
  });
});

describe('the systemd units', () => {
  it.skipIf(!findProgram('systemd-analyze'))('are valid and confined', () => {
    const folder = temporaryFolder();
    for (const role of ['api', 'worker']) {
      // The programs are where they are on this machine.
      const text = unit(role)
        .replaceAll('/opt/headway', process.cwd())
        .replaceAll('/usr/bin/node', process.execPath);
      writeFileSync(join(folder, `headway-${role}@1.service`), text);
    }
    copyFileSync('deploy/systemd/headway.target', join(folder, 'headway.target'));
    const files = readdirSync(folder).map((name) => join(folder, name));
    for (const role of ['api', 'worker']) {
      mkdirSync(join(folder, `headway-${role}@1.service.d`));
      copyFileSync(
        'deploy/systemd/processes.conf',
        join(folder, `headway-${role}@1.service.d/processes.conf`),
      );
    }
    const analyze = (...args: string[]): string => {
      const { stdout, stderr, status } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
      return `${status}: ${stdout}${stderr}`;
    };
    expect(analyze('verify', '--man=no', ...files)).toBe('0: ');
    for (const file of files.filter((path) => path.endsWith('.service'))) {
      // The scale goes from 0 to 10. Headway needs the network and memory that is writable and executable (V8).
      expect(analyze('security', '--offline=yes', '--threshold=20', file)).toMatch(/^0: /);
    }
  });
});

/** The values of the environment of a service, with an address and a secret in place of variables. */
const filled = (environment: Record<string, string>): Record<string, string> => ({
  ...environment,
  REDIS_URL: 'redis://redis',
  PUBLIC_URL: 'https://example.org',
  TOKEN_SECRET: 'a secret for tests that is long enough',
  ADMIN_TOKEN: 'a-token-for-tests-that-is-long-enough',
  WEBHOOK_SECRET: `whsec_${Buffer.alloc(24).toString('base64')}`,
});
