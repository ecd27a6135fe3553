import { createHash, randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ResultFile } from '../types.js';
import { print, printMessage } from './output.js';
import { CliError, UsageError } from './problem.js';
import type { Session } from './session.js';
import { safeJson, safeLine } from './terminal/text.js';

/** Checks that a result can be saved at a path, before the job is started. @throws UsageError */
export async function checkOutput(path: string | undefined): Promise<void> {
  if (path === undefined) return;
  if (path === '') throw new UsageError('--output is empty');
  const parent = dirname(path.replace(/\/+$/, ''));
  if (!(await isFolder(parent))) throw new UsageError(`--output: ${parent} is not a folder`);
}

/**
 * Prints the result of a job, or saves it at a path. An existing folder, or a path that ends with a slash, gets
 * `result.json` and all files of the result. Any other path becomes the only file of the result. It becomes the JSON of
 * the result if there are no files or the path ends with `.json`, and a folder if there are several files.
 */
export async function outputResult(
  session: Session,
  jobId: string,
  result: unknown,
  path: string | undefined,
): Promise<void> {
  if (!session.json) for (const warning of warningsIn(result)) printMessage(`Warning: ${safeLine(warning)}`);
  if (path === undefined) {
    if (!session.json) print(safeJson(result, 2));
    return;
  }
  const files = filesIn(result);
  const folder = path.endsWith('/') || (await isFolder(path));
  if (!folder && (files.length === 0 || path.endsWith('.json'))) return saveJson(path, result);
  const [only] = files;
  if (!folder && only && files.length === 1) return saveFile(session, jobId, only, path);
  await mkdir(path, { recursive: true }).catch(cannotSave(path));
  await saveJson(join(path, 'result.json'), result);
  const taken = new Set(['result.json']);
  for (const file of files) {
    await saveFile(session, jobId, file, join(path, freeName(file.name, taken)));
  }
}

/** The warnings in a result: the texts in its field `warnings`. */
function warningsIn(result: unknown): string[] {
  const given = (result as { warnings?: unknown } | null)?.warnings;
  return Array.isArray(given)
    ? given.filter((warning): warning is string => typeof warning === 'string')
    : [];
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );

/** Returns the files in a result, at any depth. */
export function filesIn(value: unknown): ResultFile[] {
  if (value === null || typeof value !== 'object') return [];
  const { id, href, name, sha256 } = value as Partial<Record<keyof ResultFile, unknown>>;
  const isFile = [id, href, name, sha256].every((field) => typeof field === 'string');
  return isFile ? [value as ResultFile] : Object.values(value).flatMap(filesIn);
}

/** A safe name for a file: inside its folder, not hidden, and unique, with a number if necessary. */
function freeName(given: string, taken: Set<string>): string {
  const safe = safeLine(basename(given.replace(/\\/g, '/'))).replace(/^\.+/, '') || 'file';
  const dot = safe.lastIndexOf('.');
  const end = dot > 0 ? dot : safe.length;
  let name = safe;
  for (let n = 2; taken.has(name); n++) name = `${safe.slice(0, end)}-${n}${safe.slice(end)}`;
  taken.add(name);
  return name;
}

async function saveJson(path: string, result: unknown): Promise<void> {
  await writeWhole(path, (draft) => writeFile(draft, `${JSON.stringify(result, undefined, 2)}\n`));
}

async function saveFile(
  { request, tokenOf }: Session,
  jobId: string,
  file: ResultFile,
  path: string,
): Promise<void> {
  const response = await request(
    `v1/jobs/${encodeURIComponent(jobId)}/result?file=${encodeURIComponent(file.id)}`,
    { token: await tokenOf(jobId), tries: 3 },
  );
  const digest = createHash('sha256');
  const measure = new Transform({
    transform(chunk, _encoding, done) {
      digest.update(chunk);
      done(null, chunk);
    },
  });
  await writeWhole(path, async (draft) => {
    await pipeline(Readable.fromWeb(response.body as never), measure, createWriteStream(draft));
    if (digest.digest('hex') !== file.sha256) throw new CliError(`${file.name} was not received completely`);
  });
}

/** Writes a temporary file beside the target, and renames it once it is complete. */
async function writeWhole(path: string, write: (draft: string) => Promise<void>): Promise<void> {
  const draft = join(dirname(path), `.${basename(path)}.${randomBytes(4).toString('hex')}`);
  try {
    await write(draft);
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    if (error instanceof CliError) throw error;
    return cannotSave(path)(error);
  }
  printMessage(`Saved ${safeLine(path)}`);
}

const cannotSave =
  (path: string) =>
  (error: unknown): never => {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new CliError(`cannot save ${path} (${code ?? message})`);
  };
