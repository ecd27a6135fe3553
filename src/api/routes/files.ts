import { PassThrough, type Readable } from 'node:stream';
import { type Request, type Response, Router } from 'express';
import { HeadwayError } from '../../shared/errors.js';
import type { FileStore, StoredFile } from '../../shared/files/store.js';
import { aborted } from '../../shared/files/upload-errors.js';
import type { Config } from '../../shared/process/config.js';
import type { Access } from '../auth/access.js';
import { requireUnread } from '../http/body.js';
import { methods } from '../http/problem.js';
import { readForm } from '../http/upload-form.js';
import { type CountedUpload, countUpload, type UploadLimiter } from '../http/upload-quota.js';
import { type Upload, type UploadLimits, watchUpload } from '../http/uploading.js';

/** Maximum size of the form around a file, in bytes. */
const FORM_BYTES = 64 * 1024;

export interface FilesRoutesOptions {
  access: Pick<Access, 'requireStarter'>;
  limiter: UploadLimiter;
  store: FileStore;
  config: Pick<Config, 'UPLOAD_MAX_BYTES'> & UploadLimits['config'];
  stopping: () => boolean;
}

/** `/v1/files`: stores uploads, which are streamed to disk. */
export function filesRoutes({ access, limiter, store, config, stopping }: FilesRoutesOptions): Router {
  const router = Router();
  router.route('/').all(methods('POST')).post(upload);
  return router;

  async function upload(req: Request, res: Response): Promise<void> {
    requireUnread(req);
    let counted: CountedUpload | undefined;
    let watched: Upload | undefined;
    try {
      // Before anything reads the body.
      const caller = await access.requireStarter(req);
      requirePlain(req);
      counted = await countUpload(limiter, req, res, caller, contentLength(req));
      // The client may have left meanwhile, and no event would tell.
      if (req.destroyed && !req.complete) throw aborted();
      watched = watchUpload(req, { config, stopping });
      counted.watch();
      const signal = AbortSignal.any([watched.signal, counted.signal]);
      const file = req.is('multipart/form-data') ? await multipart(req, signal) : await raw(req, signal);
      res.status(201).json(file);
    } finally {
      watched?.end();
      counted?.end();
    }
  }

  function raw(req: Request, signal: AbortSignal): Promise<StoredFile> {
    const { name } = req.query;
    if (typeof name !== 'string' || name === '') {
      throw new HeadwayError(
        'invalid-request',
        'Name the file with ?name=, or send multipart/form-data with the field "file".',
      );
    }
    return store.save(name, detached(req, signal), contentLength(req));
  }

  async function multipart(req: Request, signal: AbortSignal): Promise<StoredFile> {
    const length = contentLength(req);
    // The form around the file is small: the file in a body of this size is too large.
    if (length !== undefined && length > config.UPLOAD_MAX_BYTES + FORM_BYTES) {
      throw new HeadwayError(
        'file-too-large',
        `The file exceeds the limit of ${config.UPLOAD_MAX_BYTES} bytes. Nothing was stored.`,
      );
    }
    const maxBytes = config.UPLOAD_MAX_BYTES + FORM_BYTES;
    return readForm(req, { store, signal, length, maxBytes });
  }
}

/** Returns the body as a stream that can be destroyed without destroying the connection. */
function detached(req: Request, signal: AbortSignal): Readable {
  const body = req.pipe(new PassThrough());
  signal.addEventListener('abort', () => body.destroy(signal.reason));
  req.on('close', () => {
    if (!req.complete) body.destroy();
  });
  return body;
}

/** @throws HeadwayError `unsupported-media-type` for a compressed body, which would be stored compressed */
function requirePlain({ headers }: Request): void {
  const coding = headers['content-encoding'] ?? 'identity';
  if (coding.toLowerCase() === 'identity') return;
  throw new HeadwayError(
    'unsupported-media-type',
    'Content-Encoding is not supported: files are stored exactly as sent.',
  );
}

function contentLength(req: Request): number | undefined {
  const length = req.headers['content-length'];
  return length === undefined ? undefined : Number(length);
}
