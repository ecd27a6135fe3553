import { createReadStream } from 'node:fs';
import { HeadwayError } from '../errors.js';
import type { JobFiles } from '../job.js';
import type { FileStore } from './store.js';

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
