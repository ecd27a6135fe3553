import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { startRedis } from '../support/redis.js';

const folder = resolve('dist/node_modules');
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
  it.each(['api/main.js', 'worker/main.js', 'client/cli/main.js'])('are what dist/%s loads', (main) => {
    expect(readFileSync(join('dist', main), 'utf8')).toMatch(
      /^#!\/usr\/bin\/env node\nimport '(\.\.\/)+programs\/\w+\.js';\n$/,
    );
  });
});
