import type { Readable } from 'node:stream';
import { Busboy, type BusboyHeaders } from '@fastify/busboy';
import { type Request, type Response, Router } from 'express';
import type { Config } from '../../shared/config.js';
import { HeadwayError } from '../../shared/errors.js';
import type { FileStore, StoredFile } from '../../shared/files/store.js';
import { methods } from '../problem.js';

export interface FilesRoutesOptions {
  store: FileStore;
  config: Pick<Config, 'UPLOAD_MAX_BYTES'>;
}

/** `/v1/files`: takes an upload, streamed to disk. */
export function filesRoutes({ store, config }: FilesRoutesOptions): Router {
  const router = Router();
  router.route('/').all(methods('POST')).post(upload);
  return router;

  async function upload(req: Request, res: Response): Promise<void> {
    try {
      const file = req.is('multipart/form-data') ? await multipart(req) : await raw(req);
      res.status(201).json(file);
    } catch (error) {
      refuse(req, res);
      throw error;
    }
  }

  function raw(req: Request): Promise<StoredFile> {
    const { name } = req.query;
    if (typeof name !== 'string' || name === '') {
      throw new HeadwayError(
        'invalid-request',
        'Name the file with ?name=, or send multipart/form-data with the field "file".',
      );
    }
    return store.save(name, req, contentLength(req));
  }

  async function multipart(req: Request): Promise<StoredFile> {
    const length = contentLength(req);
    // The form around the file is small; a body this much larger cannot hold a file that fits.
    if (length !== undefined && length > config.UPLOAD_MAX_BYTES + 64 * 1024) {
      throw new HeadwayError(
        'file-too-large',
        `The file is larger than the ${config.UPLOAD_MAX_BYTES} bytes that this service takes.`,
      );
    }
    return new Promise<StoredFile>((resolve, reject) => {
      let saved: Promise<StoredFile> | undefined;
      const parser = formParser(req);
      parser.on('file', (field, content, name) => {
        if (field !== 'file' || saved) {
          content.resume();
          const detail = saved
            ? 'Send one file at a time.'
            : `The file belongs into the field "file", not ${JSON.stringify(field)}.`;
          return fail(new HeadwayError('invalid-request', detail));
        }
        saved = store.save(name || 'file', content as Readable);
        saved.catch(fail);
      });
      parser.on('finish', () => {
        if (saved) saved.then(resolve, reject);
        else reject(new HeadwayError('invalid-request', 'The form has no field "file".'));
      });
      parser.on('error', (error) =>
        fail(new HeadwayError('upload-aborted', `The form could not be read: ${(error as Error).message}`)),
      );
      req.on('close', () => {
        if (!req.complete)
          fail(new HeadwayError('upload-aborted', 'The connection ended before the file was whole.'));
      });
      req.pipe(parser);

      function fail(error: unknown): void {
        req.unpipe(parser);
        parser.destroy();
        const partial = saved;
        reject(error);
        // A file that was already whole when the form turned out wrong is nobody's: it expires.
        partial?.catch(() => {});
      }
    });
  }
}

function formParser(req: Request): InstanceType<typeof Busboy> {
  try {
    return new Busboy({
      headers: req.headers as BusboyHeaders,
      limits: { fields: 20, fieldSize: 64 * 1024, files: 2 },
    });
  } catch (error) {
    throw new HeadwayError('invalid-request', `The form could not be read: ${(error as Error).message}`);
  }
}

function contentLength(req: Request): number | undefined {
  const length = req.headers['content-length'];
  return length === undefined ? undefined : Number(length);
}

/** Lets a client that is still sending see the answer: reads a little more, then ends the connection. */
function refuse(req: Request, res: Response): void {
  if (req.complete || req.destroyed) return;
  res.set('Connection', 'close');
  req.unpipe();
  req.resume();
  res.on('finish', () => setTimeout(() => req.socket.destroy(), 1000).unref());
}
