import { Command, Option } from 'commander';
import type { JobOptions } from '../../types.js';
import { attend } from '../attend.js';
import { jobOptions, type TypedJobOptions, withJobOptions } from '../job-options.js';
import { findKind, type Kind, readKinds } from '../kinds.js';
import { print, say } from '../output.js';
import { UsageError } from '../problem.js';
import { checkOutput } from '../result.js';
import { openSession, type Session } from '../session.js';
import { safeJson, safeLine } from '../terminal/text.js';
import { span } from '../terminal/units.js';
import { openUpload, sendUpload, type Upload } from '../upload.js';
import { isFile, json, several } from '../values.js';
import { chooseView } from '../views/choose.js';
import type { Accepted } from '../views/view.js';

interface RunOptions extends TypedJobOptions {
  data?: string;
  file?: string[];
  output?: string;
  detach?: boolean;
  idempotencyKey?: string;
}

/** `headway run NAME`: starts a job and shows it to its end. */
export const runCommand = (): Command =>
  withJobOptions(
    new Command('run')
      .description('Start a job, watch it to its end, print or save its result')
      .argument('<name>', 'the kind of job')
      .option('-d, --data <json>', 'its data: JSON, @FILE with JSON, or - for standard input')
      .option(
        '-f, --file <path>',
        'upload a file for it: PATH, FIELD=PATH where its data has several, - for standard input',
        several,
      )
      .option('-o, --output <path>', 'save the result: its file, or into a folder all of it')
      .addOption(new Option('--detach', 'do not watch it: print its id').conflicts('output')),
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
    process.exitCode = await attend(session, { id: accepted.id, view, output, mayCancel: true });
  });

interface Prepared {
  job: JobOptions;
  data: Record<string, unknown>;
  files: Map<string, Upload>;
}

/** Looks at everything that was typed before anything is sent. @throws UsageError, ProblemError */
async function prepare(session: Session, name: string, options: RunOptions): Promise<Prepared> {
  const { file: typedFiles = [], output } = options;
  const { data: typedData, metadata } = options;
  const inputs = [typedData, metadata, ...typedFiles.map((typed) => typed.replace(/^\w+=(?=-$)/, ''))];
  if (inputs.filter((input) => input === '-').length > 1) {
    throw new UsageError('standard input (-) can be read once only');
  }
  const job = await jobOptions(options);
  await checkOutput(output);
  const data = typedData === undefined ? {} : await json('--data', typedData);
  if (typedFiles.length > 0 && (data === null || typeof data !== 'object' || Array.isArray(data))) {
    throw new UsageError('--data: must be a JSON object when there is a --file to put into it');
  }
  const kind = findKind(await readKinds(session), name);
  const files = new Map<string, Upload>();
  for (const typed of typedFiles) {
    const { field, path } = await fieldAndPath(typed, kind);
    if (files.has(field))
      throw new UsageError(`--file: ${field} is given twice: say which is which, FIELD=PATH`);
    files.set(field, await openUpload(path));
  }
  return { job, data: data as Record<string, unknown>, files };
}

/** `FIELD=PATH`, unless there is a file of that whole name; without a field the one that takes a file. */
async function fieldAndPath(typed: string, kind: Kind): Promise<{ field: string; path: string }> {
  const [, named, rest] = /^([A-Za-z_]\w*)=(.+)$/s.exec(typed) ?? [];
  if (named && rest && !(await isFile(typed))) return { field: named, path: rest };
  if (kind.fileFields.length > 1) {
    throw new UsageError(
      `--file: ${kind.name} takes several, say which: ${kind.fileFields.map((field) => `${field}=PATH`).join(', ')}`,
    );
  }
  if (kind.fileFields.length === 0 && kind.described)
    throw new UsageError(`--file: ${kind.name} takes no file`);
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
    onRetry: (error, inMs) => say(`${safeLine(error.message)} Tried again in ${span(inMs)}.`),
  });
  await session.keepToken({ id: job.id, name, token: job.token! }).catch((error: NodeJS.ErrnoException) => {
    say(`warning: the job's token cannot be kept (${error.code}): "headway watch" will need --token`);
  });
  return { id: job.id, name, deduplicated: job.started.deduplicated === true };
}
