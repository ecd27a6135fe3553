import { createReadStream } from 'node:fs';
import { HeadwayError } from '../errors.js';
import type { JobFiles } from '../job.js';
import { fileIdsIn } from './reference.js';
import type { FileStore } from './store.js';

/** Keeps the files that a result names until `until` (ms since 1970) at least. */
export async function keepResultFiles(store: FileStore, result: unknown, until: number): Promise<void> {
  await Promise.all(fileIdsIn(result).map(({ id }) => store.keep(id, until)));
}

/** The files of one job: what its `ctx.files` does. */
export function jobFiles(store: FileStore, jobId: string): JobFiles {
  return {
    async open(id) {
      const file = await store.stat(id);
      if (!file) throw new HeadwayError('unknown-file', `There is no file ${id}; it may have expired.`);
      await store.touch(id);
      const path = store.path(id);
      return { ...file, path, stream: () => createReadStream(path) };
    },
    async create(name, write) {
      const file = await store.create(name, write);
      return { ...file, href: `/v1/jobs/${jobId}/result?file=${file.id}` };
    },
    remove: (id) => store.remove(id),
  };
}
