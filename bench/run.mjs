// npm run bench [-- names]: measures Headway and its peers in one run and prints ratios, because machines are noisy.
// Without names, or with --write, it also writes docs/reference/performance.md.
import { loadavg } from 'node:os';
import { ensureBuild } from '../scripts/lib/build.mjs';
import { COLUMNS, cellsOf } from './lib/goals.mjs';
import { writePage } from './lib/page.mjs';
import { root } from './lib/processes.mjs';
import { SCALE } from './lib/sizes.mjs';
import { printTable } from './lib/table.mjs';

const BENCHMARKS = {
  lifecycle: 'A tiny job from POST to its end, nobody watching, and what it leaves in Redis.',
  start: 'Single calls of `POST /v1/jobs`; the peer calls `queue.add`.',
  batch: 'Calls of `POST /v1/jobs:batch` with 500 jobs each; the peer calls `addBulk`.',
  updates: '200 watched jobs with ten updates a second each, coalescing off.',
  connect: 'New streams of 5,000 viewers of one job; the peer is better-sse, without present state.',
  storm:
    'The API is killed, and 5,000 viewers return with `Last-Event-ID`; the peer is better-sse with a Redis stream.',
  fanout: 'One channel with 1,000 viewers.',
  http2:
    'Viewers of one channel when the API serves HTTPS itself: seven on each connection of HTTP/2; the peer is HTTP/1.1, a connection each.',
  memory: 'The memory of the API for one of 5,000 viewers; the peer is better-sse.',
  list: 'A page of a million finished jobs; the peer filters what `getJobs` returns.',
  eta: 'The remaining time shown for a thousand varied runs; the peer is a moving average of the speed. And the time until a thousand waiting jobs begin; the peer is how fast they have moved up.',
  positions:
    'A look at the positions of watched jobs in a queue of two million; the peer is a queue of a thousand.',
  dashboard: 'The dashboard with 10,000 active jobs in Chromium.',
  crowd: 'One stream of 10,000 active jobs in Chromium.',
  attack: 'An anonymous attacker from one address, and a signed-in user; the peer is the same user before.',
  slow: '500 viewers while 10,000 slow clients and a flood of connects attack; the peer is the same without them.',
  costs:
    'What one viewer, one more subscribed process and one running job cost, for [Scaling](../operations/scaling.md#one-million-viewers-on-paper).',
  grow: 'What happens with more viewers, channels and finished jobs.',
  curves: 'How costs grow; the jobs of the second picture report 1,000 times a second together.',
};

await ensureBuild(root);
const names = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const write = names.length === 0 || process.argv.includes('--write');
console.log(`load of the machine: ${loadavg()[0].toFixed(1)}`);
const sections = [];
for (const name of names.length > 0 ? names : Object.keys(BENCHMARKS)) {
  const benchmark = await import(`./${name}.mjs`);
  const rows = await benchmark[name]();
  sections.push({ name, about: BENCHMARKS[name], rows, pictures: benchmark.PICTURES ?? [] });
}
const rows = sections.flatMap((section) => section.rows);
console.log();
printTable([COLUMNS, ...rows.map(cellsOf)]);
if (write && SCALE === 1) await writePage(Object.keys(BENCHMARKS), sections);
const missed = rows.some(({ met }) => met === false);
console.log(missed ? '\nA goal was missed.' : '\nAll goals were met.');
process.exit(missed ? 1 : 0);
