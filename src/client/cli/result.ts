import { createHash, randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ResultFile } from '../types.js';
import { print, say } from './output.js';
import { CliError, UsageError } from './problem.js';
import type { Session } from './session.js';
import { safeJson, safeLine } from './terminal/text.js';

/** @throws UsageError for a path that nothing can be saved at: known before the job is started */
export async function checkOutput(path: string | undefined): Promise<void> {
  if (path === undefined) return;
  if (path === '') throw new UsageError('--output: there is no path');
  const parent = dirname(path.replace(/\/+$/, ''));
  if (!(await isFolder(parent))) throw new UsageError(`--output: ${parent} is no folder`);
}

/**
 * Prints what a job came to, or saves it at a path: into a folder that is there (or a path that ends with a slash) the
 * result as `result.json` and all of its files; else the one file of the result, or its JSON where it has none or the
 * path ends with `.json`; several files make a folder.
 */
export async function giveResult(
  session: Session,
  jobId: string,
  result: unknown,
  path: string | undefined,
): Promise<void> {
  if (!session.json) for (const warning of warningsIn(result)) say(`Warning: ${safeLine(warning)}`);
  if (path === undefined) {
    if (!session.json) print(safeJson(result, 2));
    return;
  }
  const files = filesIn(result);
  const folder = path.endsWith('/') || (await isFolder(path));
  if (!folder && (files.length === 0 || path.endsWith('.json'))) return saveJson(path, result);
  if (!folder && files.length === 1) return saveFile(session, jobId, files[0]!, path);
  await mkdir(path, { recursive: true }).catch(cannotSave(path));
  await saveJson(join(path, 'result.json'), result);
  const taken = new Set(['result.json']);
  for (const file of files) {
    await saveFile(session, jobId, file, join(path, freeName(file.name, taken)));
  }
}

/** What a job says about its result in the field `warnings`. */
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

/** The files in a result, however deep. */
export function filesIn(value: unknown): ResultFile[] {
  if (value === null || typeof value !== 'object') return [];
  const { id, href, name, sha256 } = value as Partial<Record<keyof ResultFile, unknown>>;
  const isFile = [id, href, name, sha256].every((field) => typeof field === 'string');
  return isFile ? [value as ResultFile] : Object.values(value).flatMap(filesIn);
}

/** A name that stays in its folder and is not hidden, whatever the job has called its file; the second of a name gets a number. */
function freeName(given: string, taken: Set<string>): string {
  const safe = safeLine(basename(given.replace(/\\/g, '/'))).replace(/^\.+/, '') || 'file';
  const [, stem, extension] = /^(.+?)(\.[^.]*)?$/.exec(safe)!;
  let name = safe;
  for (let n = 2; taken.has(name); n++) name = `${stem}-${n}${extension ?? ''}`;
  taken.add(name);
  return name;
}

async function saveJson(path: string, result: unknown): Promise<void> {
  await writeWhole(path, (draft) => writeFile(draft, `${JSON.stringify(result, undefined, 2)}\n`));
}

async function saveFile(
  { ask, tokenOf }: Session,
  jobId: string,
  file: ResultFile,
  path: string,
): Promise<void> {
  const response = await ask(
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
    if (digest.digest('hex') !== file.sha256) throw new CliError(`${file.name} did not arrive whole`);
  });
}

/** Writes beside the place and moves it there when it is whole. */
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
  say(`Saved ${safeLine(path)}`);
}

const cannotSave =
  (path: string) =>
  (error: unknown): never => {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new CliError(`${path} cannot be saved (${code ?? message})`);
  };
