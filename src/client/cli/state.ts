import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Maximum number of jobs remembered. The oldest are dropped first. */
const MAX_JOBS = 1000;
const DAY_MS = 86_400_000;
/** How long to keep a token without an expiry, in ms. */
const UNKNOWN_MS = 7 * DAY_MS;
const VISITOR_MS = 365 * DAY_MS;

export interface KeptJob {
  url: string;
  id: string;
  name: string;
  token: string;
}

/**
 * What the command line remembers for this user between calls: the tokens of started jobs, and the visitor that started
 * them. Each is a separate file (mode 0600, with its expiry in its name), so that concurrent calls do not conflict.
 */
export interface State {
  keepJob(job: KeptJob): Promise<void>;
  jobToken(url: string, id: string): Promise<string | undefined>;
  /** Returns the jobs, newest first. */
  jobs(url: string): Promise<KeptJob[]>;
  visitor(url: string): Promise<string | undefined>;
  keepVisitor(url: string, cookie: string): Promise<void>;
}

/**
 * The folder of the XDG Base Directory Specification: `$XDG_STATE_HOME/headway`, otherwise `~/.local/state/headway`.
 */
export const stateFolder = (env: Record<string, string | undefined> = process.env): string =>
  join(
    env.XDG_STATE_HOME?.startsWith('/') ? env.XDG_STATE_HOME : join(homedir(), '.local', 'state'),
    'headway',
  );

export function openState(folder = stateFolder(), now = Date.now): State {
  const jobsDir = join(folder, 'jobs');
  const visitorsDir = join(folder, 'visitors');

  return {
    async keepJob(job) {
      await keep(jobsDir, [job.url, job.id], expiryOf(job.token) ?? now() + UNKNOWN_MS, job);
      await prune(jobsDir);
    },
    async jobToken(url, id) {
      return (await find<KeptJob>(jobsDir, [url, id]))?.token;
    },
    async jobs(url) {
      const files = await list(jobsDir);
      const jobs = await Promise.all(files.reverse().map(({ name }) => read<KeptJob>(join(jobsDir, name))));
      return jobs.filter((job) => job?.url === url) as KeptJob[];
    },
    async visitor(url) {
      return (await find<{ cookie: string }>(visitorsDir, [url]))?.cookie;
    },
    async keepVisitor(url, cookie) {
      await keep(visitorsDir, [url], now() + VISITOR_MS, { url, cookie });
      await prune(visitorsDir);
    },
  };

  /** The files of a folder, in the order in which they expire. */
  async function list(dir: string): Promise<Array<{ name: string; expiresAt: number; key: string }>> {
    const names = await readdir(dir).catch(() => []);
    return names
      .flatMap((name) => {
        const [, expiresAt, key] = /^(\d{15})-([0-9a-f]{40})\.json$/.exec(name) ?? [];
        return key ? { name, expiresAt: Number(expiresAt), key } : [];
      })
      .sort((a, b) => a.expiresAt - b.expiresAt);
  }

  async function find<T>(dir: string, what: string[]): Promise<T | undefined> {
    const key = keyOf(what);
    const file = (await list(dir)).findLast((file) => file.key === key && file.expiresAt > now());
    return file && (await read<T>(join(dir, file.name)));
  }

  async function prune(dir: string): Promise<void> {
    const files = (await list(dir)).reverse();
    const newest = new Map<string, string>();
    for (const { key, name, expiresAt } of files) {
      if (expiresAt > now() && newest.size < MAX_JOBS && !newest.has(key)) newest.set(key, name);
    }
    const last = files.filter(({ key, name }) => newest.get(key) !== name);
    await Promise.all(last.map(({ name }) => rm(join(dir, name), { force: true })));
    await Promise.all((await readdir(dir)).filter(isDraft).map((name) => removeOld(join(dir, name))));
  }

  /** Removes a draft that was never completed. */
  async function removeOld(file: string): Promise<void> {
    const written = await stat(file).catch(() => undefined);
    if (written && written.mtimeMs < now() - DAY_MS) await rm(file, { force: true });
  }
}

const keyOf = (what: string[]): string => createHash('sha1').update(JSON.stringify(what)).digest('hex');

const isDraft = (name: string): boolean => name.startsWith('draft-');

/** Writes a file atomically: no other call reads an incomplete file. */
async function keep(dir: string, what: string[], expiresAt: number, value: unknown): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const draft = join(dir, `draft-${randomBytes(6).toString('hex')}`);
  await writeFile(draft, JSON.stringify(value), { flag: 'wx', mode: 0o600 });
  const name = `${String(expiresAt).padStart(15, '0')}-${keyOf(what)}.json`;
  await rename(draft, join(dir, name));
}

const read = async <T>(file: string): Promise<T | undefined> => {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch {
    return undefined;
  }
};

/** The expiry of a token (RFC 7519, `exp`), in ms since 1970. The token is not verified: that is the service's task. */
function expiryOf(token: string): number | undefined {
  try {
    const { exp } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    return typeof exp === 'number' ? exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}
