import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const SHARED = 'src/shared';

it('each script of Redis states its cost in its header, and asks for nothing whose size nobody knows', () => {
  const scripts = (readdirSync(SHARED, { recursive: true }) as string[])
    .filter((file) => file.endsWith('.lua') && !file.endsWith('record.lua'))
    .map((file) => ({ file, text: readFileSync(join(SHARED, file), 'utf8') }));
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
