import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, it } from 'vitest';

const SOURCE = 'src';
const files = readdirSync(SOURCE, { recursive: true }) as string[];

it('each script of Redis states its cost in its header, and asks for nothing whose size nobody knows', () => {
  const scripts = files
    .filter((file) => file.endsWith('.lua') && !file.endsWith('record.lua'))
    .map((file) => ({ file, text: readFileSync(join(SOURCE, file), 'utf8') }));
  expect(scripts.length).toBeGreaterThan(10);
  for (const { file, text } of scripts) {
    const [header = '', body = ''] = text.split('\n]]\n');
    expect(header, file).toMatch(/\n *Cost: \S/);
    // These ask first how many slots a channel has, and how large they are.
    const asksFirst = /channel\/scripts\/(read|publish)\.lua$/.test(file);
    expect(body, file).not.toMatch(/call\('(KEYS|SMEMBERS|DEL|SORT)'/);
    if (!asksFirst) expect(body, file).not.toMatch(/call\('(HVALS|HKEYS)'/);
    for (const call of body.match(/call\('(XRANGE|XREVRANGE|ZRANGEBYSCORE)'[^\n]*/g) ?? []) {
      expect(call, file).toMatch(/'(COUNT|LIMIT)'/);
    }
  }
});

it('each script of Redis is read by the room that it lies in', () => {
  const reads = files
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => {
      const text = readFileSync(join(SOURCE, file), 'utf8');
      return Array.from(text.matchAll(/new URL\([`'](\S+\.lua)[`'], import\.meta\.url\)/g), ([, path]) => ({
        file,
        script: normalize(join(dirname(file), path!)),
      }));
    });
  expect(reads.length).toBeGreaterThan(10);
  for (const { file, script } of reads) expect(dirname(script), file).toBe(join(dirname(file), 'scripts'));
});
