// How an installation grows: viewers, channels, updates over the masters of a Cluster, jobs over shards, and finished jobs.
// Each is a table, and a picture in docs/images. `PARTS=viewers,kept` runs some of them.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { channels } from './grow/channels.mjs';
import { kept } from './grow/kept.mjs';
import { masters } from './grow/masters.mjs';
import { shards } from './grow/shards.mjs';
import { viewers } from './grow/viewers.mjs';
import { drawCurves } from './lib/picture.mjs';
import { root } from './lib/processes.mjs';
import { SCALE } from './lib/sizes.mjs';
import { printTable } from './lib/table.mjs';

const PARTS = { viewers, channels, masters, shards, kept };
const chosen = process.env.PARTS?.split(',') ?? Object.keys(PARTS);

/** Every viewer is a file descriptor in two processes. */
const DESCRIPTORS = 200_000;

/** Only root may raise the limit. The processes that are started inherit it. */
function raiseDescriptors() {
  try {
    const limit = `--nofile=${DESCRIPTORS}:${DESCRIPTORS}`;
    execFileSync('prlimit', ['--pid', process.pid, limit], { stdio: 'ignore' });
  } catch {
    console.log('the limit of file descriptors cannot be raised: fewer viewers are measured');
  }
}

export async function grow() {
  raiseDescriptors();
  for (const name of chosen) {
    console.log(`\ngrow, ${name}`);
    const { table, picture } = await PARTS[name]();
    printTable(table);
    const file = `grow-${name}.svg`;
    const path = SCALE === 1 ? join(root, 'docs/images', file) : join(tmpdir(), file);
    writeFileSync(path, drawCurves(picture));
    console.log(`drawn to ${path}`);
  }
  return [];
}
