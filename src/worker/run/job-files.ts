import { createReadStream } from 'node:fs';
import { HeadwayError } from '../../shared/errors.js';
import { fileIdsIn } from '../../shared/files/reference.js';
import type { FileStore, StoredFile, Workspace } from '../../shared/files/store.js';
import type { JobFiles } from '../../shared/jobs/definition.js';
import { jobLinks } from '../../shared/jobs/links.js';

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
 * Creates `ctx.files` of one attempt of a job.
 * @param base path prefix of the service in URLs for clients
 * @param workspace for its copies of files; whoever opened it removes it when the attempt has ended
 */
export function jobFiles(
  store: FileStore,
  jobId: string,
  base: string,
  workspace?: Pick<Workspace, 'path'>,
): JobFiles {
  /** By the id of the file: a job may open the same file several times. */
  const paths = new Map<string, Promise<string>>();

  async function find(id: string): Promise<StoredFile> {
    // Files in the data of a job are kept until the job has ended, however long it waited.
    const found = await store.find(id);
    if (!found) throw new HeadwayError('unknown-file', 'The file does not exist; it may have expired.');
    await store.touch(id);
    const { storedAt: _, ...file } = found;
    return file;
  }

  function pathOf(file: StoredFile): Promise<string> {
    let path = paths.get(file.id);
    if (!path) {
      path = store.local(file, workspace);
      paths.set(file.id, path);
      path.catch(() => paths.delete(file.id));
    }
    return path;
  }

  return {
    async open(id) {
      const file = await find(id);
      const path = await pathOf(file);
      return { ...file, path, stream: () => createReadStream(path) };
    },
    async read(id) {
      const file = await find(id);
      return { ...file, stream: () => store.read(file) };
    },
    async create(name, write) {
      const file = await store.create(name, write, jobId, workspace);
      return { ...file, href: `${jobLinks(jobId, base).result}?file=${file.id}` };
    },
    remove: (id) => store.remove(id),
  };
}
