#!/usr/bin/env node
// npm create headway-jobs: asks for a framework and a language, and copies one of the projects in `templates`.
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as util from 'node:util';

const MIN_NODE = [20, 19];
const FRAMEWORKS = { express: 'Express', next: 'Next.js', nuxt: 'Nuxt', plain: 'plain (node:http)' };
const HELP = `Usage: npm create headway-jobs@latest [folder] -- [options]

Creates a project with a long-running job and a page that shows its progress live.

Options:
  --template <name>  ${Object.keys(FRAMEWORKS).join(', ')} (default: a question, or express without a terminal)
  --ts, --js         TypeScript or JavaScript (default: a question, or TypeScript without a terminal)
  -h, --help         this text`;

/** A mistake of the user, which is printed in one line. */
class Mistake extends Error {}

try {
  checkNode();
  const { folder, framework, language } = await choose(readArguments());
  createProject(folder, framework, language);
  console.log(nextSteps(relative('', folder)));
} catch (error) {
  if (!(error instanceof Mistake)) throw error;
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}

/** This file must be readable to older versions, so it imports what they lack only after this check. @throws Mistake */
function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > MIN_NODE[0] || (major === MIN_NODE[0] && minor >= MIN_NODE[1])) return;
  throw new Mistake(
    `Node ${process.versions.node} is too old: Headway needs Node ${MIN_NODE.join('.')} or newer`,
  );
}

/** Returns what the command line answers: the folder, the framework and the language, each `undefined` if it does not. */
function readArguments() {
  const options = {
    template: { type: 'string' },
    ts: { type: 'boolean' },
    js: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  };
  let parsed;
  try {
    parsed = util.parseArgs({ options, allowPositionals: true });
  } catch (error) {
    throw new Mistake(error.message);
  }
  const { values, positionals } = parsed;
  if (values.help) {
    console.log(HELP);
    process.exit();
  }
  const { template, ts, js } = values;
  if (positionals.length > 1) {
    throw new Mistake(
      'there is more than one folder. Options come after "--": npm create headway-jobs my-app -- --js',
    );
  }
  if (template !== undefined && !Object.hasOwn(FRAMEWORKS, template)) {
    throw new Mistake(
      `there is no template ${JSON.stringify(template)}: use ${Object.keys(FRAMEWORKS).join(', ')}`,
    );
  }
  if (ts && js) throw new Mistake('--ts and --js exclude each other');
  return { folder: positionals[0], framework: template, language: ts ? 'ts' : js ? 'js' : undefined };
}

/** Asks for what the command line leaves open. Without a terminal, the first answer of each question is taken. */
async function choose({ folder = 'my-app', framework, language }) {
  checkFolder(folder);
  const isTerminal = process.stdin.isTTY && process.stdout.isTTY;
  if (!isTerminal) return { folder, framework: framework ?? 'express', language: language ?? 'ts' };
  const { createInterface } = await import('node:readline/promises');
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  // Ctrl-C or Ctrl-D. Nothing has been created yet.
  terminal.once('close', () => {
    console.log();
    process.exit(130);
  });
  const ask = async (question, answers) => {
    const names = Object.keys(answers);
    const list = names.map((name, i) => `  ${i + 1}. ${answers[name]}\n`).join('');
    for (;;) {
      const answer =
        (await terminal.question(`${question}\n${list}1-${names.length} (1): `)).trim().toLowerCase() || '1';
      const found = names.find((name, i) =>
        [String(i + 1), name, answers[name].toLowerCase()].includes(answer),
      );
      if (found) return found;
    }
  };
  const chosen = {
    folder,
    framework: framework ?? (await ask('Which framework?', FRAMEWORKS)),
    language: language ?? (await ask('Which language?', { ts: 'TypeScript', js: 'JavaScript' })),
  };
  terminal.removeAllListeners('close');
  terminal.close();
  return chosen;
}

/** @throws Mistake unless the folder is new or empty */
function checkFolder(folder) {
  if (!existsSync(folder)) return;
  if (!statSync(folder).isDirectory()) throw new Mistake(`${folder} is a file`);
  if (readdirSync(folder).some((name) => name !== '.git'))
    throw new Mistake(`the folder ${folder} is not empty`);
}

/** @throws Mistake if the folder cannot be written */
function createProject(folder, framework, language) {
  const target = resolve(folder);
  try {
    mkdirSync(target, { recursive: true });
    cpSync(fileURLToPath(new URL(`templates/${framework}-${language}`, import.meta.url)), target, {
      recursive: true,
    });
  } catch (error) {
    throw new Mistake(`${folder} cannot be written (${error.code})`);
  }
  // npm leaves files with this name out of packages.
  renameSync(join(target, '_gitignore'), join(target, '.gitignore'));
  const name = packageName(basename(target));
  for (const file of ['package.json', 'README.md']) {
    const path = join(target, file);
    writeFileSync(path, readFileSync(path, 'utf8').replaceAll('my-app', name));
  }
}

/** Returns what to type next. @param path of the folder; empty for this one */
function nextSteps(path) {
  const quoted = /^[\w./-]+$/.test(path) ? path : `'${path.replace(/'/g, `'\\''`)}'`;
  const run = 'npm install && npm run dev';
  return path === ''
    ? `Created the project. Now:\n  ${run}`
    : `Created ${path}. Now:\n  cd ${quoted} && ${run}`;
}

/** Returns a valid name of an npm package for a folder with any name. */
function packageName(folder) {
  const name = folder
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[._-]+|-+$/g, '')
    .slice(0, 214);
  return name === '' || name === 'node_modules' || name === 'favicon.ico' ? 'my-app' : name;
}
