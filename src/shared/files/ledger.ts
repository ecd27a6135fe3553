import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** An amount of room. */
export interface Claim {
  bytes: number;
  inodes: number;
}

/** Room that a process wants and does not have yet. */
export interface NamedClaim extends Claim {
  /** Decides which of two processes goes first. */
  id: string;
}

/** What the processes that share a folder have published. */
export interface Ledger {
  /** Publishes what this process holds, and what it claims. The others see it when the promise resolves. */
  publish(claim?: NamedClaim): Promise<void>;
  /** Reads what the other processes hold and claim. Call it after `publish`. */
  readOthers(): Promise<{ held: Claim; claims: NamedClaim[] }>;
  /** Publishes what is held again and again until it is nothing: it is being used up, and the others expect a sign of life. */
  keep(): void;
}

interface Entry {
  held: Claim;
  claim?: NamedClaim | undefined;
}

/** How often a process publishes what it holds, in ms. */
const PUBLISH_MS = 200;
/** A process that has published nothing for this long is gone, in ms. */
const LEASE_MS = 5000;

/**
 * Opens the ledger in a folder. Each process has one file in it, which is replaced atomically. The file of a process that
 * died no longer counts {@link LEASE_MS} after it was written. Times are those of the file system, so clocks do not matter.
 * @param held returns what this process holds
 */
export function openLedger(folder: string, held: () => Claim): Ledger {
  const name = randomBytes(12).toString('hex');
  const path = join(folder, `${name}.json`);
  const draft = join(folder, `${name}.draft`);
  let timer: NodeJS.Timeout | undefined;
  /** Writes are made in order, because they share the draft. */
  let last: Promise<unknown> = Promise.resolve();

  async function write(claim: NamedClaim | undefined): Promise<void> {
    const entry: Entry = { held: held(), claim };
    if (entry.held.inodes === 0 && !claim) {
      clearInterval(timer);
      timer = undefined;
      return rm(path, { force: true });
    }
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeFile(draft, JSON.stringify(entry), { mode: 0o600 });
    await rename(draft, path);
  }

  let claimed: NamedClaim | undefined;
  function publish(claim: NamedClaim | undefined): Promise<void> {
    claimed = claim;
    const written = last.then(() => write(claimed));
    last = written.catch(() => {});
    return written;
  }

  /** Reads the file of another process, or removes it if the process is gone. */
  async function read(file: string, now: number): Promise<Entry | undefined> {
    const other = join(folder, file);
    try {
      const { mtimeMs } = await stat(other);
      if (now - mtimeMs > LEASE_MS) await rm(other, { force: true });
      else if (file.endsWith('.json')) return JSON.parse(await readFile(other, 'utf8')) as Entry;
    } catch (error) {
      // The other process has just removed it.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    return undefined;
  }

  return {
    publish,
    async readOthers() {
      const { mtimeMs: now } = await stat(path);
      const files = (await readdir(folder)).filter((file) => !file.startsWith(name));
      const entries = (await Promise.all(files.map((file) => read(file, now)))).filter((entry) => !!entry);
      return {
        held: {
          bytes: entries.reduce((total, entry) => total + entry.held.bytes, 0),
          inodes: entries.reduce((total, entry) => total + entry.held.inodes, 0),
        },
        claims: entries.flatMap(({ claim }) => claim ?? []),
      };
    },
    keep() {
      // What was published before stays valid: it is more than what is held now.
      timer ??= setInterval(() => publish(claimed).catch(() => {}), PUBLISH_MS).unref();
    },
  };
}
