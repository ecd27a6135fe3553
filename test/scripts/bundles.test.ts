import { execFile } from 'node:child_process';
import { copyFileSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { cachedDataVersionTag } from 'node:v8';
import { describe, expect, it } from 'vitest';
import { bundleOf } from '../../scripts/lib/load-program.mjs';
import { temporaryFolder } from '../support/folder.js';
import { startApi, startWorker } from '../support/processes.js';
import { startRedis } from '../support/redis.js';

const folder = resolve('dist/node_modules');
const programs = join(folder, '.programs');
const packages = readdirSync(folder).filter((name) => !/^[.@]/.test(name));
const bundle = (name: string) => import(pathToFileURL(join(folder, name, 'lib/index.mjs')).href);
/** The names that can be imported, without those that Node adds to a CommonJS module. */
const namesOf = (module: object) =>
  Object.keys(module)
    .filter((name) => !['default', 'module.exports', '__esModule'].includes(name))
    .sort();

describe('the bundled packages of the build', () => {
  it.each(packages)('export what the installed package exports: %s', async (name) => {
    expect(namesOf(await bundle(name))).toEqual(namesOf(await import(name)));
  });

  it('give BullMQ the same ioredis as our own connections', async () => {
    const redis = await startRedis();
    const [{ RedisConnection }, { Redis }] = await Promise.all([bundle('bullmq'), bundle('ioredis')]);
    const connection = new RedisConnection({ port: redis.port });
    expect(await connection.client).toBeInstanceOf(Redis);
    await connection.close();
    await redis.stop();
  });
});

describe('the bundled programs of the build', () => {
  it.each(['api/main.js', 'worker/main.js', 'worker/run/thread/entry.js', 'client/cli/main.js'])(
    'are what dist/%s loads',
    (main) => {
      const text = readFileSync(join('dist', main), 'utf8');
      const [, bundle] = /runProgram\('\w+', '([^']+)'\)/.exec(text)!;
      expect(existsSync(join(programs, bundle!))).toBe(true);
      const [, published] = /import\('([^']+)'\);/.exec(text)!;
      expect(existsSync(join('dist', dirname(main), published!))).toBe(true);
    },
  );

  it('do without BullMQ and ioredis in the threads of a worker', () => {
    const bundles = readdirSync(programs).filter((name) => name.endsWith('.cjs'));
    /** The texts of a program, with those of all bundles that it loads. */
    const textOf = (program: string): string => {
      const files = new Set(bundles.filter((name) => name.startsWith(`${program}-`)));
      let texts = '';
      for (const file of files) {
        const text = readFileSync(join(programs, file), 'latin1');
        for (const [, name] of text.matchAll(/require\("\.\/([^"]+\.cjs)"\)/g)) files.add(name!);
        texts += text;
      }
      return texts;
    };
    const ofTheirs = /\bmoveToFinishedArgs\b|CONNECTION_CLOSED_ERROR_MSG/g;
    expect(new Set(textOf('worker').match(ofTheirs))).toEqual(
      new Set(['moveToFinishedArgs', 'CONNECTION_CLOSED_ERROR_MSG']),
    );
    expect(textOf('thread').match(ofTheirs)).toBeNull();
  });

  it('contain the zod of job files', async () => {
    const { z } = await bundle('zod');
    const { load } = await import(pathToFileURL(join(programs, 'load.mjs')).href);
    const own = readdirSync(programs).find((name) => /^zod-.*\.cjs$/.test(name))!;
    expect(load(own).z).toBe(z);
  });
});

describe('the compiled code of a program', () => {
  it.each([
    ['api', startApi],
    ['worker', startWorker],
  ] as const)('is loaded by a second start of %s', async (name, start) => {
    const redis = await startRedis();
    const compiled = () =>
      new Map(
        readdirSync(programs)
          .filter((file) => file.includes(`.cjs.${name}-`) && !/\.\d+$/.test(file))
          .map((file) => [file, statSync(join(programs, file)).ino]),
      );
    const startOnce = async () => (await start({ REDIS_URL: redis.url })).stop();
    await startOnce();
    const kept = compiled();
    expect(kept.size).toBeGreaterThan(10);
    await startOnce();
    expect(compiled()).toEqual(kept);
    await redis.stop();
  });
});

describe('the loader of the bundled programs', () => {
  const place = temporaryFolder();
  copyFileSync('scripts/lib/load-program.mjs', join(place, 'load.mjs'));
  writeFileSync(
    join(place, 'one.cjs'),
    bundleOf(
      `const other = require('./other.cjs'); __import('node:os').then(({ EOL }) => console.log(other.greet() + EOL.length, __url));`,
    ),
  );
  writeFileSync(join(place, 'other.cjs'), bundleOf(`exports.greet = () => 'hello';`));
  const main = `import { runProgram } from '${pathToFileURL(join(place, 'load.mjs')).href}'; runProgram('one', 'one.cjs');`;
  const runOnce = async (...flags: string[]) =>
    (await promisify(execFile)(process.execPath, [...flags, '--input-type=module', '--eval', main])).stdout;
  const said = `hello1 ${pathToFileURL(join(place, 'one.cjs')).href}\n`;
  const compiled = () =>
    readdirSync(place)
      .filter((name) => !/js$/.test(name))
      .map((name) => ({ name, inode: statSync(join(place, name)).ino }));

  it('keeps the compiled code for later starts, which do not compile again', async () => {
    expect(await runOnce()).toBe(said);
    const kept = compiled();
    const suffix = `one-${process.version}-${cachedDataVersionTag()}`;
    expect(kept.map(({ name }) => name)).toEqual([`one.cjs.${suffix}`, `other.cjs.${suffix}`]);
    expect(await runOnce()).toBe(said);
    expect(compiled()).toEqual(kept);
  });

  it('compiles again if the kept code is damaged', async () => {
    await runOnce();
    const before = compiled();
    for (const { name } of before) writeFileSync(join(place, name), 'not code');
    expect(await runOnce()).toBe(said);
    const after = compiled();
    expect(after.map(({ name }) => name)).toEqual(before.map(({ name }) => name));
    for (const [index, { inode }] of after.entries()) expect(inode).not.toBe(before[index]!.inode);
  });

  it('keeps code of its own under other flags', async () => {
    await runOnce();
    const kept = compiled();
    expect(await runOnce('--no-opt')).toBe(said);
    expect(compiled()).toHaveLength(2 * kept.length);
    await runOnce();
    expect(compiled()).toEqual(expect.arrayContaining(kept));
  });
});
