import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { expect, it } from 'vitest';

const SOURCE = 'src';
const files = readdirSync(SOURCE, { recursive: true }) as string[];

it('each Lua script states its cost in its header, and reads nothing of unbounded size', () => {
  const scripts = files
    .filter((file) => file.endsWith('.lua') && !file.endsWith('record.lua'))
    .map((file) => ({ file, text: readFileSync(join(SOURCE, file), 'utf8') }));
  expect(scripts.length).toBeGreaterThan(10);
  for (const { file, text } of scripts) {
    const [header = '', body = ''] = text.split('\n]]\n');
    expect(header, file).toMatch(/\n *Cost: \S/);
    // The scripts read.lua and publish.lua check the number and the size of the slots first.
    const checksSize = /channel\/scripts\/(read|publish)\.lua$/.test(file);
    expect(body, file).not.toMatch(/call\('(KEYS|SMEMBERS|DEL|SORT)'/);
    if (!checksSize) expect(body, file).not.toMatch(/call\('(HVALS|HKEYS)'/);
    for (const call of body.match(/call\('(XRANGE|XREVRANGE|ZRANGEBYSCORE)'[^\n]*/g) ?? []) {
      expect(call, file).toMatch(/'(COUNT|LIMIT)'/);
    }
  }
});

/** Sent by workers in other languages only. */
const FOREIGN = 'shared/bullmq/scripts/worker.lua';

it('each Lua script is in the script table next to its folder', () => {
  const isCode = (file: string): boolean => file.endsWith('.ts');
  const tables = files.filter((file) => isCode(file) && basename(file) === 'scripts.ts');
  for (const file of files.filter((file) => file.endsWith('.lua') && file !== FOREIGN)) {
    const table = join(dirname(dirname(file)), 'scripts.ts');
    expect(tables).toContain(table);
    expect(readFileSync(join(SOURCE, table), 'utf8'), file).toContain(`lua('${basename(file, '.lua')}')`);
  }
  // A pipeline that is open while a script is defined lacks the script.
  for (const file of files.filter(isCode)) {
    expect(readFileSync(join(SOURCE, file), 'utf8'), file).not.toMatch(/defineCommand/);
  }
});
