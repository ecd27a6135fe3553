import { UnusableFilesError } from '../../../shared/files/s3/faults.js';
import { fileStoreOptions, openFileStore } from '../../../shared/files/store.js';
import { readConfig } from '../../../shared/process/config.js';
import { describePlace, parseFilesUrl } from '../../../shared/process/files-url.js';
import { type Finding, ok, problem } from './finding.js';

/**
 * Checks the bucket of `FILES_URL` with the credentials of this machine: everything that Headway does with it is tried, and
 * nothing is left there.
 * @throws ConfigError
 */
export async function checkFiles(env: NodeJS.ProcessEnv): Promise<Finding[]> {
  const config = readConfig(env);
  if (!config.FILES_URL) return [];
  const place = describePlace(parseFilesUrl(config.FILES_URL));
  try {
    await openFileStore(fileStoreOptions(config)).check('usable');
    return [ok('files', `may read, write, list and remove in ${place}`)];
  } catch (error) {
    if (error instanceof UnusableFilesError) {
      return [problem('files', error.message, 'See docs/operations/files.md.')];
    }
    const { cause, message } = error as Error;
    const reason = cause instanceof Error ? cause.message : message;
    return [problem('files', `${place} does not answer: ${reason}`, 'Check its endpoint and the network.')];
  }
}
