// npm run bench [names]: measures Headway and its peers in one run and prints ratios, because machines are noisy.
import { ensureBuild } from '../scripts/lib/build.mjs';
import { COLUMNS, cellsOf } from './lib/goals.mjs';
import { root } from './lib/processes.mjs';
import { printTable } from './lib/table.mjs';

const BENCHMARKS = [
  'lifecycle',
  'start',
  'batch',
  'updates',
  'connect',
  'fanout',
  'list',
  'dashboard',
  'crowd',
];

await ensureBuild(root);
const wanted = process.argv.slice(2);
const rows = [];
for (const name of wanted.length > 0 ? wanted : BENCHMARKS) {
  const benchmark = await import(`./${name}.mjs`);
  rows.push(...(await benchmark[name]()));
}
console.log();
printTable([COLUMNS, ...rows.map(cellsOf)]);
const missed = rows.some(({ met }) => met === false);
console.log(missed ? '\nA goal was missed.' : '\nAll goals were met.');
process.exit(missed ? 1 : 0);
