import type { Request, Response } from 'express';
import { HeadwayError } from '../../shared/errors.js';
import { fileIdsIn } from '../../shared/files/reference.js';
import type { FileStore } from '../../shared/files/store.js';
import type { JobSnapshot } from '../../shared/lifecycle/snapshot.js';

/**
 * Answers with a job's result: JSON, or with `?file=` one of the files in it, named by its id or by its key in
 * the result. A result that is itself a file is sent as that.
 * @throws HeadwayError `not-finished`, `job-failed`, `job-cancelled`, `not-found` (no such file in the result), `gone` (it expired),
 *   `range-not-satisfiable`, `precondition-failed`
 */
export async function sendResult(
  req: Request,
  res: Response,
  job: JobSnapshot,
  store: FileStore,
): Promise<void> {
  res.set('Cache-Control', 'no-store');
  if (job.state === 'failed') {
    throw new HeadwayError('job-failed', `The job failed and has no result: ${job.failedReason}`);
  }
  if (job.state === 'cancelled') {
    throw new HeadwayError('job-cancelled', 'The job was cancelled and has no result.');
  }
  if (job.state !== 'completed') {
    throw new HeadwayError(
      'not-finished',
      `The job is ${job.state}. Watch its events; ask again when it has completed.`,
    );
  }
  const wanted = req.query.file;
  const files = fileIdsIn(job.result);
  const whole = files.find(({ pointer }) => pointer === '/id');
  if (wanted === undefined && !whole) {
    res.json(job.result);
    return;
  }
  const file =
    wanted === undefined
      ? whole
      : files.find(({ id, pointer }) => id === wanted || pointer === `/${wanted}/id`);
  if (!file) {
    throw new HeadwayError(
      'not-found',
      'The result has no such file. Its files are the objects with an `href`.',
    );
  }
  const stored = await store.stat(file.id);
  if (!stored) throw new HeadwayError('gone', 'The file has expired.');
  res.set({ ETag: `"${stored.sha256}"`, 'Content-Type': 'application/octet-stream' });
  await new Promise<void>((resolve, reject) => {
    res.download(store.path(file.id), stored.name, { dotfiles: 'allow', cacheControl: false }, (error) => {
      // The client that went away in the middle is no error of ours.
      if (error && !res.headersSent) reject(refusalOf(error, res, stored.size));
      else resolve();
    });
  });
}

/** Why Express would not send a file: what the request asked of it cannot be had (RFC 9110, sections 13.2 and 14). */
function refusalOf(error: Error & { status?: number }, res: Response, size: number): Error {
  // They describe the file, which is not what is sent.
  for (const name of ['ETag', 'Last-Modified', 'Accept-Ranges', 'Content-Disposition'])
    res.removeHeader(name);
  if (error.status === 412) {
    return new HeadwayError(
      'precondition-failed',
      'The file is not the one that If-Match or If-Unmodified-Since names. Ask again without it.',
    );
  }
  if (error.status !== 416) return error;
  res.set('Content-Range', `bytes */${size}`);
  return new HeadwayError('range-not-satisfiable', `The file has ${size} bytes, none of them in that range.`);
}
