import { randomBytes } from 'node:crypto';
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StartError } from '../start-error.js';
import { openDataFolder } from './data-folder.js';
import type { Logger } from './log.js';
import { hideInLogs } from './redact.js';
import { secretLines } from './secret-files.js';
import type { Secrets } from './secret-list.js';

/**
 * Returns the secrets in a file of the data folder, one per line: a secret that is generated once, after which an operator
 * may have added others.
 * @param make generates a secret of at least 32 characters. Defaults to 64 hexadecimal digits.
 * @throws StartError if the folder is not writable or the file is damaged
 */
export async function keptSecrets(
  dataDir: string,
  name: string,
  log: Pick<Logger, 'warn'>,
  make: () => string = () => randomBytes(32).toString('hex'),
): Promise<Secrets> {
  const file = join(dataDir, name);
  try {
    await openDataFolder(dataDir, log);
    // Linking a finished file is atomic: two processes that start together read the same, complete secret.
    const draft = `${file}.${randomBytes(6).toString('hex')}`;
    await writeFile(draft, make(), { flag: 'wx', mode: 0o600 });
    await link(draft, file).finally(() => rm(draft));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
      throw new StartError(`DATA_DIR: cannot write ${file} (${(error as NodeJS.ErrnoException).code})`);
    }
  }
  const secrets = secretLines(await readFile(file));
  const [newest, ...others] = secrets;
  if (newest === undefined || secrets.some((secret) => Buffer.byteLength(secret) < 32))
    throw new StartError(
      `${file} is damaged: delete it to generate a new secret; everything signed with the old one becomes invalid`,
    );
  hideInLogs(newest, ...others);
  return [newest, ...others];
}
