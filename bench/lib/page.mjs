// docs/reference/performance.md: a section for each benchmark, with its figures and the machine.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { ensureRedisServer } from '../../scripts/lib/system.mjs';
import { COLUMNS, cellsOf } from './goals.mjs';
import { root } from './processes.mjs';

const PAGE = join(root, 'docs/reference/performance.md');
const INTRODUCTION = `# Performance

\`npm run bench\` measures Headway and its peers on your machine and writes this page; \`npm run bench -- updates --write\` renews one section. Both run as whole processes, one after the other in the same run. Compare the ratios: the figures depend on the machine and on what else it does.

The plain peer consists of Express, BullMQ (\`queue.add\`, \`Worker\`, \`QueueEvents\`) and better-sse. It sends and stores only what the jobs report. CPU is that of all processes together, unless one is named. *Cold* are the first seconds of new processes, *warm* is after some seconds of the same load.
`;

/** Replaces the sections of the benchmarks that were run. @param sections {name, about, rows, pictures} of each */
export async function writePage(order, sections) {
  const old = existsSync(PAGE) ? readFileSync(PAGE, 'utf8') : '';
  const texts = new Map(
    old
      .split(/^(?=## )/m)
      .slice(1)
      .map((text) => [/^## `(.*)`/.exec(text)?.[1], text.trimEnd()]),
  );
  const machine = await describeMachine();
  for (const section of sections) texts.set(section.name, sectionText(section, machine));
  const parts = order.flatMap((name) => texts.get(name) ?? []);
  writeFileSync(PAGE, `${[INTRODUCTION.trimEnd(), ...parts].join('\n\n')}\n`);
}

const sectionText = ({ name, about, rows, pictures }, machine) =>
  [
    `## \`${name}\``,
    `${about} Measured with \`npm run bench -- ${name}\` on ${machine}.`,
    ...pictures.map(([alternative, file]) => `![${alternative}](../images/${file})`),
    ...(rows.length > 0 ? [tableOf(rows)] : []),
  ].join('\n\n');

const tableOf = (rows) =>
  [COLUMNS.map((column) => column || 'reached'), COLUMNS.map(() => '---'), ...rows.map(cellsOf)]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');

async function describeMachine() {
  const redis = execFileSync(await ensureRedisServer(), ['--version'], { encoding: 'utf8' });
  const server = /v=(\S+)/.exec(redis)?.[1] ?? '';
  const today = new Date().toISOString().slice(0, 10);
  return `${availableParallelism()} cores of ${cpus()[0].model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}, Redis ${server}, ${today}`;
}
