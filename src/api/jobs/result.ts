import type { Request, Response } from 'express';
import { HeadwayError } from '../../shared/errors.js';
import { fileIdsIn } from '../../shared/files/reference.js';
import type { FileStore } from '../../shared/files/store.js';
import type { JobSnapshot } from '../../shared/lifecycle/snapshot.js';
import { sendFile } from './download.js';

/**
 * Answers with the result of a job as JSON. With `?file=`, answers with a file in the result, named by its id or by its key
 * in the result. A result that is itself a file is sent as that file.
 * @throws HeadwayError `not-finished`, `job-failed`, `job-cancelled`, `not-found` (the result has no such file), `gone`
 *   (the file has expired), and those of {@link sendFile}
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
    throw new HeadwayError('not-finished', `The job is ${job.state}. Try again when it has completed.`);
  }
  const requested = req.query.file;
  const files = fileIdsIn(job.result);
  const whole = files.find(({ pointer }) => pointer === '/id');
  if (requested === undefined && !whole) {
    res.json(job.result);
    return;
  }
  const file =
    requested === undefined
      ? whole
      : files.find(({ id, pointer }) => id === requested || pointer === `/${requested}/id`);
  if (!file) {
    throw new HeadwayError('not-found', 'The result has no such file. Files are the objects with an `href`.');
  }
  const stored = await store.stat(file.id);
  if (!stored) throw new HeadwayError('gone', 'The file has expired.');
  await sendFile(req, res, stored, store);
}
