import { Command, Option } from 'commander';
import type { JobOptions } from '../../types.js';
import { jobOptions, type TypedJobOptions, withJobOptions } from '../job-options.js';
import { findKind, type Kind, readKinds } from '../kinds.js';
import { print, printMessage } from '../output.js';
import { UsageError } from '../problem.js';
import { checkOutput } from '../result.js';
import { openSession, type Session } from '../session.js';
import { safeJson, safeLine } from '../terminal/text.js';
import { span } from '../terminal/units.js';
import { openUpload, sendUpload, type Upload } from '../upload.js';
import { isFile, json, several } from '../values.js';
import { chooseView } from '../views/choose.js';
import type { Accepted } from '../views/view.js';
import { watchToEnd } from '../watch-to-end.js';

interface RunOptions extends TypedJobOptions {
  data?: string;
  file?: string[];
  output?: string;
  detach?: boolean;
  idempotencyKey?: string;
}

/** `headway run NAME`: starts a job, and watches it until it ends. */
export const runCommand = (): Command =>
  withJobOptions(
    new Command('run')
      .description('Start a job, watch it until it ends, print or save its result')
      .argument('<name>', 'kind of job')
      .option('-d, --data <json>', 'data of the job: JSON, @FILE with JSON, or - for standard input')
      .option(
        '-f, --file <path>',
        'upload a file for the job: PATH, FIELD=PATH if it takes several, - for standard input',
        several,
      )
      .option('-o, --output <path>', 'save the result: its file, or everything into a folder')
      .addOption(new Option('--detach', 'print the id and do not watch the job').conflicts('output')),
  ).action(async (name: string, options: RunOptions, command: Command) => {
    const session = openSession(command);
    const { job, data, files } = await prepare(session, name, options);
    const view = chooseView(session.json);
    try {
      for (const [field, file] of files) {
        data[field] = await sendUpload(session, file, (progress) => view.uploading(progress));
      }
    } finally {
      view.close();
    }
    const accepted = await start(session, name, data, job, options.idempotencyKey);
    if (options.detach)
      return print(session.json ? safeJson({ type: 'accepted', ...accepted }) : accepted.id);
    view.accepted(accepted);
    const { output } = options;
    process.exitCode = await watchToEnd(session, { id: accepted.id, view, output, mayCancel: true });
  });

interface Prepared {
  job: JobOptions;
  data: Record<string, unknown>;
  files: Map<string, Upload>;
}

/** Checks all input before anything is sent. @throws UsageError, ProblemError */
async function prepare(session: Session, name: string, options: RunOptions): Promise<Prepared> {
  const { file: typedFiles = [], output } = options;
  const { data: typedData, metadata } = options;
  const inputs = [typedData, metadata, ...typedFiles.map((typed) => typed.replace(/^\w+=(?=-$)/, ''))];
  if (inputs.filter((input) => input === '-').length > 1) {
    throw new UsageError('standard input (-) can be used only once');
  }
  const job = await jobOptions(options);
  await checkOutput(output);
  const data = typedData === undefined ? {} : await json('--data', typedData);
  if (typedFiles.length > 0 && (data === null || typeof data !== 'object' || Array.isArray(data))) {
    throw new UsageError('--data must be a JSON object when --file is used');
  }
  const kind = findKind(await readKinds(session), name);
  const files = new Map<string, Upload>();
  for (const typed of typedFiles) {
    const { field, path } = await fieldAndPath(typed, kind);
    if (files.has(field))
      throw new UsageError(`--file: ${field} is given twice; use FIELD=PATH to assign files to fields`);
    files.set(field, await openUpload(path));
  }
  return { job, data: data as Record<string, unknown>, files };
}

/** Parses `FIELD=PATH`, unless a file has that whole name. Without a field, uses the field that takes a file. */
async function fieldAndPath(typed: string, kind: Kind): Promise<{ field: string; path: string }> {
  const [, named, rest] = /^([A-Za-z_]\w*)=(.+)$/s.exec(typed) ?? [];
  if (named && rest && !(await isFile(typed))) return { field: named, path: rest };
  if (kind.fileFields.length > 1) {
    throw new UsageError(
      `--file: ${kind.name} takes several files; use ${kind.fileFields.map((field) => `${field}=PATH`).join(', ')}`,
    );
  }
  if (kind.fileFields.length === 0 && kind.described)
    throw new UsageError(`--file: ${kind.name} takes no files`);
  return { field: kind.fileFields[0] ?? 'file', path: typed };
}

async function start(
  session: Session,
  name: string,
  data: unknown,
  options: JobOptions,
  idempotencyKey: string | undefined,
): Promise<Accepted> {
  const job = await session.client.startJob(name, data, {
    ...options,
    ...(idempotencyKey ? { idempotencyKey } : {}),
    onRetry: (error, inMs) => printMessage(`${safeLine(error.message)} Retrying in ${span(inMs)}.`),
  });
  const { id, token } = job;
  if (token) {
    await session.keepToken({ id, name, token }).catch((error: NodeJS.ErrnoException) => {
      printMessage(
        `warning: could not save the job's token (${error.code}): "headway watch" will need --token`,
      );
    });
  }
  return { id, name, deduplicated: job.started.deduplicated === true };
}
