import { execFile } from 'node:child_process';
import { lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FOLDERS, manifestOf, nameOf } from '../../scripts/lib/npm-packages.mjs';
import { temporaryFolder } from '../support/folder.js';
import { packedProject, packTarballs } from '../support/project.js';
import { startRedis, type TestRedis } from '../support/redis.js';

// Only in npm run test:recipes: the packages that the server requires come from the registry.

const run = promisify(execFile);

/** What users see, in bytes and packages: docs/development.md has the measured figures. */
const MOST = { clientBytes: 150_000, serverPackages: 130, serverBytes: 48_000_000 };

/** A program that uses both packages: a job runs in it, and it prints its result. */
const MODULE = `
import 'headway-client/element';
import { createClient } from 'headway-client';
import { jobStore } from 'headway-client/svelte';
import { defineJob } from 'headway-jobs';
import { connectChannels } from 'headway-jobs/channels';
import { createHeadway } from 'headway-jobs/server';
import { createWorker } from 'headway-jobs/worker';
import { z } from 'zod';

const add = defineJob({
  name: 'add',
  input: z.object({ a: z.number(), b: z.number() }),
  result: z.number(),
  run: async ({ a, b }) => a + b,
});
const redis = process.env.REDIS;
const [headway, worker] = await Promise.all([createHeadway({ redis, jobs: [add] }), createWorker({ redis, jobs: [add] })]);
const job = await headway.startJob(add, { a: 1, b: 2 });
let result;
for await (const { event, data } of headway.watch(job.id)) if (event === 'completed') result = data.result;
await Promise.all([headway.close(), worker.close()]);
console.log(JSON.stringify({ result, other: [createClient, jobStore, connectChannels].map((each) => typeof each) }));
`;
const COMMON_JS = `
const modules = ['headway-client', 'headway-client/svelte', 'headway-jobs', 'headway-jobs/server', 'headway-jobs/worker'];
const load = process.argv[2] === 'import' ? (name) => import(name) : require;
Promise.all(modules.map(load)).then((loaded) => {
  const { createClient, jobStore, defineJob, createHeadway, createWorker } = Object.assign({}, ...loaded);
  const all = [createClient, jobStore, defineJob, createHeadway, createWorker];
  console.log(JSON.stringify(all.map((each) => typeof each)));
});
`;

let tarballs: Record<'client' | 'server', string>;
let redis: TestRedis;
/** The registry of npm's configuration, without a slash at its end. */
let registry: string;

/** An empty project, with the tarballs in it. */
function emptyProject(dependencies: Record<string, string> = {}): string {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies }));
  writeFileSync(join(folder, 'main.mjs'), MODULE);
  writeFileSync(join(folder, 'main.cjs'), COMMON_JS);
  return folder;
}

/** The names in `dependencies` of a project with both packages. */
const both = () => ({
  ...Object.fromEntries(FOLDERS.map((each) => [nameOf(each), `file:${tarballs[each]}`])),
  zod: manifestOf('server').dependencies?.zod ?? '',
});

/** Runs a command in a project. @returns what it printed */
async function inProject(folder: string, command: string, ...args: string[]): Promise<string> {
  const env = {
    // `npm test` tells its children where this repository is.
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_|^NODE_ENV$/.test(name))),
    REDIS: redis.url,
    // Asks for packages that the project does not have. Only Plug'n'Play hides those that others require.
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
    YARN_ENABLE_IMMUTABLE_INSTALLS: 'false',
    YARN_ENABLE_SCRIPTS: 'false',
    YARN_ENABLE_TELEMETRY: '0',
    YARN_NODE_LINKER: 'pnp',
    YARN_NPM_REGISTRY_SERVER: registry,
  };
  const { stdout } = await run(command, args, { cwd: folder, env, timeout: 240_000 });
  return stdout;
}

const lastLine = (text: string): unknown => JSON.parse(text.trim().split('\n').at(-1) ?? '');
const works = { result: 3, other: ['function', 'function', 'function'] };
const fiveFunctions = Array.from({ length: 5 }, () => 'function');

/** The bytes of a folder's files. */
function bytesOf(folder: string): number {
  return readdirSync(folder, { recursive: true })
    .map((path) => lstatSync(join(folder, String(path))))
    .filter((stats) => stats.isFile())
    .reduce((sum, { size }) => sum + size, 0);
}

/** The packages that npm has installed. */
function installed(folder: string): { packages: number; bytes: number } {
  const lock = JSON.parse(readFileSync(join(folder, 'node_modules/.package-lock.json'), 'utf8'));
  return { packages: Object.keys(lock.packages).length, bytes: bytesOf(join(folder, 'node_modules')) };
}

/** Returns the path of a file of test/recipes/installing/package.json's packages. */
const packageManager = (path: string): string =>
  join(process.env.RECIPES!, 'installing', 'node_modules', path);

describe.skipIf(!process.env.RECIPES).concurrent('an empty project', () => {
  beforeAll(async () => {
    [tarballs, redis] = await Promise.all([packTarballs(packedProject()), startRedis()]);
    registry = (await run('npm', ['config', 'get', 'registry'])).stdout.trim().replace(/\/$/, '');
  });
  afterAll(() => redis.stop());

  it('with npm: installs a client without dependencies, and a small server', async () => {
    const folder = emptyProject();
    const install = (...what: string[]) =>
      inProject(folder, 'npm', 'install', '--ignore-scripts', '--prefer-offline', ...what);
    await install(tarballs.client);
    const client = installed(folder);
    expect(client.packages).toBe(1);
    expect(client.bytes).toBeLessThan(MOST.clientBytes);
    await install(tarballs.server);
    const { packages, bytes } = installed(folder);
    expect(packages - client.packages).toBeLessThanOrEqual(MOST.serverPackages);
    expect(bytes - client.bytes).toBeLessThan(MOST.serverBytes);
    expect(lastLine(await inProject(folder, 'node', 'main.mjs'))).toEqual(works);
    expect(lastLine(await inProject(folder, 'node', 'main.cjs'))).toEqual(fiveFunctions);
  }, 300_000);

  it('with pnpm: finds every package that it imports', async () => {
    const folder = emptyProject(both());
    const pnpm = packageManager('pnpm/bin/pnpm.cjs');
    await inProject(folder, 'node', pnpm, 'install', '--ignore-scripts', '--prefer-offline');
    expect(lastLine(await inProject(folder, 'node', 'main.mjs'))).toEqual(works);
    expect(lastLine(await inProject(folder, 'node', 'main.cjs'))).toEqual(fiveFunctions);
  }, 300_000);

  it("with Yarn Plug'n'Play: finds every package that it imports", async () => {
    const folder = emptyProject(both());
    writeFileSync(join(folder, 'yarn.lock'), '');
    const yarn = packageManager('@yarnpkg/cli-dist/bin/yarn.js');
    await inProject(folder, 'node', yarn, 'install');
    const output = await inProject(folder, 'node', yarn, 'node', 'main.mjs');
    expect(lastLine(output)).toEqual(works);
    expect(output).toContain('tracing is off: Exporting traces needs packages that are not installed');
    // Plug'n'Play cannot `require` an ES module out of its archives.
    const imported = await inProject(folder, 'node', yarn, 'node', 'main.cjs', 'import');
    expect(lastLine(imported)).toEqual(fiveFunctions);
  }, 300_000);
});
