import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Request, Response } from 'express';
import { HeadwayError } from '../../shared/errors.js';
import type { ByteRange, FileStore, FoundFile } from '../../shared/files/store.js';

/**
 * Sends a stored file as a download, with conditions and ranges (RFC 9110, sections 13 and 14). The answer begins when the first
 * bytes are there, so that a file that cannot be read is an error and not an empty download. A failure after that cuts the
 * connection.
 * @throws HeadwayError `precondition-failed`, `range-not-satisfiable`, and the errors of the store
 */
export async function sendFile(
  req: Request,
  res: Response,
  file: FoundFile,
  store: FileStore,
): Promise<void> {
  const etag = `"${file.sha256}"`;
  // Dates of HTTP have no milliseconds.
  const modifiedAt = Math.floor(file.storedAt / 1000) * 1000;
  if (!isExpected(req, etag, modifiedAt)) {
    throw new HeadwayError(
      'precondition-failed',
      'The file does not match If-Match or If-Unmodified-Since. Try again without the header.',
    );
  }
  res.attachment(file.name);
  res.set({
    ETag: etag,
    'Last-Modified': new Date(modifiedAt).toUTCString(),
    'Accept-Ranges': 'bytes',
    'Content-Type': 'application/octet-stream',
  });
  if (req.fresh) {
    res.removeHeader('Content-Type');
    return void res.status(304).end();
  }
  try {
    const range = isUnchanged(req, etag, modifiedAt) ? rangeOf(req, res, file.size) : undefined;
    res.set('Content-Length', String(range ? range.end - range.start + 1 : file.size));
    if (range) res.status(206).set('Content-Range', `bytes ${range.start}-${range.end}/${file.size}`);
    if (req.method === 'HEAD') return void res.end();
    const content = store.read(file, range);
    await begun(content, res);
    await pipeline(content, res);
  } catch (error) {
    // A client that disconnects during the download is not an error.
    if (CLIENT_LEFT.has((error as NodeJS.ErrnoException).code ?? '')) return;
    if (res.headersSent) throw error;
    // These headers describe the file, which is not sent.
    for (const name of DESCRIPTION) res.removeHeader(name);
    if (!(error instanceof HeadwayError && error.code === 'range-not-satisfiable')) {
      res.removeHeader('Content-Range');
    }
    throw error;
  }
}

const CLIENT_LEFT = new Set([
  'ECONNRESET',
  'EPIPE',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_STREAM_UNABLE_TO_PIPE',
]);

const DESCRIPTION = [
  'Accept-Ranges',
  'Content-Disposition',
  'Content-Length',
  'Content-Type',
  'ETag',
  'Last-Modified',
];

/** Resolves when the first bytes are there, or the client has left. @throws the error of the content */
async function begun(content: Readable, res: Response): Promise<void> {
  const left = new AbortController();
  const onClose = (): void => left.abort();
  res.once('close', onClose);
  try {
    await once(content, 'readable', { signal: left.signal });
  } catch (error) {
    content.destroy();
    if (!left.signal.aborted) throw error;
  } finally {
    res.off('close', onClose);
  }
}

/** Whether `If-Match`, or else `If-Unmodified-Since`, allows to send the file. */
function isExpected({ headers }: Request, etag: string, modifiedAt: number): boolean {
  const match = headers['if-match'];
  if (match !== undefined) {
    const tags = match.split(',').map((tag) => tag.trim());
    return tags.includes('*') || tags.includes(etag);
  }
  const since = Date.parse(headers['if-unmodified-since'] ?? '');
  return Number.isNaN(since) || modifiedAt <= since;
}

/** Whether `If-Range` allows to send a part. */
function isUnchanged({ headers }: Request, etag: string, modifiedAt: number): boolean {
  const condition = headers['if-range'];
  if (typeof condition !== 'string') return true;
  return condition.includes('"') ? condition.trim() === etag : modifiedAt <= Date.parse(condition);
}

/**
 * Returns the range to send; `undefined` for all: without a valid `Range`, and for several ranges at once, which a server may
 * answer with all.
 * @throws HeadwayError `range-not-satisfiable`
 */
function rangeOf(req: Request, res: Response, size: number): ByteRange | undefined {
  const ranges = req.range(size, { combine: true });
  if (ranges === -1) {
    res.set('Content-Range', `bytes */${size}`);
    throw new HeadwayError(
      'range-not-satisfiable',
      `The range is outside the file, which has ${size} bytes.`,
    );
  }
  if (ranges === -2 || ranges?.type !== 'bytes' || ranges.length !== 1) return undefined;
  return ranges[0];
}
