// Copies the Lua scripts beside the compiled code that loads them; tsc does not. A line `-- @bullmq NAME` of a script is
// replaced by a function with that name that does what BullMQ's script of the name does.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const BULLMQ = join('node_modules', 'bullmq', 'dist', 'esm', 'scripts');

for (const room of ['shared', 'api', 'worker']) {
  for (const file of readdirSync(join('src', room), { recursive: true })) {
    if (!file.endsWith('.lua')) continue;
    const to = join('dist', room, file);
    mkdirSync(dirname(to), { recursive: true });
    writeFileSync(to, await withBullMq(readFileSync(join('src', room, file), 'utf8')));
  }
}

async function withBullMq(text) {
  const names = [...text.matchAll(/^-- @bullmq (\w+)$/gm)].map(([, name]) => name);
  const functions = new Map();
  for (const name of names) functions.set(name, await functionOf(name));
  const complete = text.replace(/^-- @bullmq (\w+)$/gm, (_, name) => functions.get(name));
  return names.length === 0
    ? text
    : `-- Contains scripts of BullMQ: MIT License, copyright (c) 2018 BullForce Labs AB and contributors.\n${complete}`;
}

async function functionOf(name) {
  const file = readdirSync(BULLMQ).find((file) => new RegExp(`^${name}-\\d+\\.js$`).test(file));
  const { [name]: script } = await import(pathToFileURL(join(BULLMQ, file)).href);
  return `local function ${name}(KEYS, ARGV)\n${script.content.trimEnd()}\nend`;
}
