import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StartError } from '../start-error.js';
import { hideInLogs } from './redact.js';

/**
 * Returns a secret that is generated once and stored in the data folder.
 * @param make generates a secret of at least 32 characters. Defaults to 64 hexadecimal digits.
 * @throws StartError if the folder is not writable or the file is damaged
 */
export async function keptSecret(
  dataDir: string,
  name: string,
  make: () => string = () => randomBytes(32).toString('hex'),
): Promise<string> {
  const file = join(dataDir, name);
  try {
    await mkdir(dataDir, { recursive: true });
    // Linking a finished file is atomic: two processes that start together read the same, complete secret.
    const draft = `${file}.${randomBytes(6).toString('hex')}`;
    await writeFile(draft, make(), { flag: 'wx', mode: 0o600 });
    await link(draft, file).finally(() => rm(draft));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
      throw new StartError(`DATA_DIR: cannot write ${file} (${(error as NodeJS.ErrnoException).code})`);
    }
  }
  const secret = (await readFile(file, 'utf8')).trim();
  if (Buffer.byteLength(secret) < 32)
    throw new StartError(
      `${file} is damaged: delete it to generate a new secret; everything signed with the old one becomes invalid`,
    );
  hideInLogs(secret);
  return secret;
}
