import { createReadStream } from 'node:fs';
import { HeadwayError } from '../../shared/errors.js';
import { fileIdsIn } from '../../shared/files/reference.js';
import type { FileStore } from '../../shared/files/store.js';
import type { JobFiles } from '../../shared/jobs/definition.js';
import { jobLinks } from '../../shared/lifecycle/view.js';

/**
 * Updates the files of a job that is about to complete: those in its data count as used now, and those in its result are
 * kept until `until` (ms since 1970) at least.
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
 * Creates `ctx.files` of one job.
 * @param base path prefix of the service in URLs for clients
 */
export function jobFiles(store: FileStore, jobId: string, base: string): JobFiles {
  return {
    async open(id) {
      // Files in the data of a job are kept until the job has ended, however long it waited.
      const file = await store.find(id);
      if (!file) throw new HeadwayError('unknown-file', 'The file does not exist; it may have expired.');
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
