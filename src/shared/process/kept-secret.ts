import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StartError } from '../start-error.js';

/**
 * A secret that is made once and kept in the data folder.
 * @param make makes one, of 32 characters at least. Default: 64 hexadecimal digits
 * @throws StartError when the folder cannot be written or the file is damaged
 */
export async function keptSecret(
  dataDir: string,
  name: string,
  make: () => string = () => randomBytes(32).toString('hex'),
): Promise<string> {
  const file = join(dataDir, name);
  try {
    await mkdir(dataDir, { recursive: true });
    // Two processes that start at once end with the same secret, and neither reads half of one.
    const draft = `${file}.${randomBytes(6).toString('hex')}`;
    await writeFile(draft, make(), { flag: 'wx', mode: 0o600 });
    await link(draft, file).finally(() => rm(draft));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
      throw new StartError(`DATA_DIR: ${file} cannot be written (${(error as NodeJS.ErrnoException).code})`);
    }
  }
  const secret = (await readFile(file, 'utf8')).trim();
  if (Buffer.byteLength(secret) < 32)
    throw new StartError(`${file} is damaged: delete it, and what it protected becomes invalid`);
  return secret;
}
