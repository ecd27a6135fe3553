import { createReadStream } from 'node:fs';
import { HeadwayError } from '../../shared/errors.js';
import { fileIdsIn } from '../../shared/files/reference.js';
import type { FileStore } from '../../shared/files/store.js';
import type { JobFiles } from '../../shared/jobs/definition.js';
import { jobLinks } from '../../shared/lifecycle/view.js';

/**
 * Notes that a job has completed, as a use of the files in its data, and keeps the files that its result names until
 * `until` (ms since 1970) at least.
 */
export async function keepFilesOfCompleted(
  store: FileStore,
  { data, result, until }: { data: unknown; result: unknown; until: number },
): Promise<void> {
  await Promise.all([
    ...fileIdsIn(data).map(({ id }) => store.touch(id)),
    ...fileIdsIn(result).map(({ id }) => store.keep(id, until)),
  ]);
}

/**
 * The files of one job: what its `ctx.files` does.
 * @param base the path below which clients see the service
 */
export function jobFiles(store: FileStore, jobId: string, base: string): JobFiles {
  return {
    async open(id) {
      // A file in the job's data stays until the job has ended, however long the job had to wait.
      const file = await store.find(id);
      if (!file) throw new HeadwayError('unknown-file', 'The file is no longer there; it may have expired.');
      await store.touch(id);
      const path = store.path(id);
      return { ...file, path, stream: () => createReadStream(path) };
    },
    async create(name, write) {
      const file = await store.create(name, write, jobId);
      return { ...file, href: `${jobLinks(jobId, base).result}?file=${file.id}` };
    },
    remove: (id) => store.remove(id),
  };
}
