import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Progress } from '../types.js';
import { UsageError } from './problem.js';
import type { Session } from './session.js';
import { isFile } from './values.js';

/** A file to upload. */
export interface Upload {
  name: string;
  /** In bytes; `undefined` for standard input. */
  size: number | undefined;
  open(): AsyncIterable<Uint8Array>;
}

/** Opens a file for upload. @param path a path, or `-` for standard input @throws UsageError */
export async function openUpload(path: string): Promise<Upload> {
  if (path === '-') return { name: 'stdin', size: undefined, open: () => process.stdin };
  if (!(await isFile(path))) throw new UsageError(`--file: ${path} does not exist or is not a file`);
  const { size } = await stat(path);
  return { name: basename(path), size, open: () => createReadStream(path) };
}

/** Uploads a file and shows its progress. @returns the file's id, for the data of a job @throws UsageError, ProblemError */
export async function sendUpload(
  { client }: Session,
  upload: Upload,
  show: (progress: Progress) => void,
): Promise<string> {
  const { name, size } = upload;
  let failure: NodeJS.ErrnoException | undefined;
  async function* counted(): AsyncGenerator<Uint8Array> {
    const begun = performance.now();
    let sent = 0;
    try {
      for await (const chunk of upload.open()) {
        yield chunk;
        sent += chunk.byteLength;
        show(uploadProgress(name, sent, size, performance.now() - begun));
      }
    } catch (error) {
      failure = error as NodeJS.ErrnoException;
      throw error;
    }
  }
  try {
    return (await client.upload(counted(), { name })).id;
  } catch (error) {
    if (failure?.code) throw new UsageError(`--file: cannot read ${name} (${failure.code})`);
    throw error;
  }
}

/** The progress of an upload, in the form of a job's progress. @param ms the time since the upload started */
export function uploadProgress(name: string, sent: number, size: number | undefined, ms: number): Progress {
  const rate = ms > 500 ? (sent / ms) * 1000 : undefined;
  return {
    jobId: '',
    attempt: 0,
    at: 0,
    stage: 'upload',
    percent: size ? Math.min(100, (sent / size) * 100) : null,
    current: sent,
    unit: 'bytes',
    message: name,
    ...(size ? { total: size } : {}),
    ...(rate ? { ratePerSecond: rate } : {}),
    ...(rate && size ? { etaMs: ((size - sent) / rate) * 1000 } : {}),
  };
}
