import type { FieldError } from '../errors.js';
import { fileIdsIn } from './reference.js';
import type { FileStore } from './store.js';

/**
 * Keeps the files that a job's data name for as long as new ones would be.
 * @returns those that are not there, each with the JSON Pointer (RFC 6901) to it from the data
 */
export async function keepFiles(store: FileStore, data: unknown): Promise<FieldError[]> {
  const missing: FieldError[] = [];
  for (const { id, pointer } of fileIdsIn(data)) {
    if (await store.stat(id)) await store.touch(id);
    else missing.push({ pointer, detail: 'there is no such file; it may have expired' });
  }
  return missing;
}
