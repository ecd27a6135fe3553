import { readFileSync } from 'node:fs';
import { snapshotLua } from '../lifecycle/snapshot.js';

const read = (name: string): string =>
  readFileSync(new URL(`./scripts/${name}.lua`, import.meta.url), 'utf8');

/** A script of the index with the functions that it uses before it: Redis has no `require`. */
export const indexLua = {
  track: () =>
    `${read('record')}\n${read('files')}\nlocal function readJob(KEYS, ARGV)\n${snapshotLua}\nend\n${read('track')}`,
  hold: () => `${read('files')}\n${read('hold')}`,
  forget: () => `${read('record')}\n${read('files')}\n${read('forget')}`,
};
