// npm run bench [fanout|jobs|list|dashboard|crowd]: measures Headway and its peers in one run and prints ratios, because machines are noisy.
import { ensureBuild } from '../scripts/lib/build.mjs';
import { root } from './lib/processes.mjs';
import { printTable } from './lib/table.mjs';

await ensureBuild(root);
const wanted = process.argv.slice(2);
const goals = {};
for (const name of ['fanout', 'jobs', 'list', 'dashboard', 'crowd']) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const benchmark = await import(`./${name}.mjs`);
  Object.assign(goals, await benchmark[name]());
}
console.log();
printTable([
  ['goal', 'measured', 'at most'],
  ...Object.entries(goals).map(([name, [measured, limit]]) => [name, measured.toFixed(2), limit]),
]);
const missed = Object.values(goals).some(([measured, limit]) => measured > limit);
console.log(missed ? '\nA goal was missed.' : '\nAll goals were met.');
process.exit(missed ? 1 : 0);
