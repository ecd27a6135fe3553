import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { Dicer } from '@fastify/busboy';
import { decodeExtended, parse } from 'content-disposition';
import { HeadwayError } from '../../shared/errors.js';
import type { FileStore, StoredFile } from '../../shared/files/store.js';

/** Maximum number of parts of a form. Each part costs a stream, however small it is. */
const MAX_PARTS = 100;

export interface FormOptions {
  store: FileStore;
  /** Aborts the upload, with the error as its reason. */
  signal: AbortSignal;
  /** The Content-Length of the request, if any. */
  length: number | undefined;
  /** Maximum size of the body, in bytes. */
  maxBytes: number;
}

/**
 * Stores the file in the field `file` of a `multipart/form-data` body (RFC 7578). Other fields are ignored. If the form is
 * invalid, nothing is left in the store when the promise rejects.
 * @throws HeadwayError `invalid-request`, `upload-aborted`, `file-too-large`, and the errors of the store
 */
export function readForm(req: IncomingMessage, options: FormOptions): Promise<StoredFile> {
  const { store, signal, length, maxBytes } = options;
  const parser = new Dicer({ boundary: boundaryOf(req) });
  return new Promise<StoredFile>((resolve, reject) => {
    // A stream between parser and disk, because the parser's stream emits nothing when it is destroyed.
    const content = new PassThrough();
    content.on('error', () => {});
    let saved: Promise<StoredFile> | undefined;
    let failed = false;
    let parts = 0;
    let received = 0;
    let formEnded = false;
    let bodyEnded = false;

    parser.on('part', (part) => {
      // Emitted for a part that is cut off. The parser reports the same error.
      part.on('error', () => {});
      if (++parts > MAX_PARTS) fail(invalid(`The form has more than ${MAX_PARTS} parts.`));
      part.on('header', (header: object) => {
        const { field, name } = describePart(header as Record<string, string[]>);
        if (failed || name === undefined) return void part.resume();
        let begun = false;
        const begin = (): void => {
          begun = true;
          if (field !== 'file') {
            const given = JSON.stringify(field.slice(0, 80));
            fail(invalid(`Send the file in the field "file", not ${given}.`));
          } else if (isEncoded(header as Record<string, string[]>)) {
            fail(
              invalid('Content-Transfer-Encoding is not supported: send the bytes of the file unchanged.'),
            );
          } else if (saved) fail(invalid('Send only one file.'));
          else {
            saved = store.save(name || 'file', content, undefined, length);
            saved.catch(fail);
          }
        };
        // For a field without a chosen file, a browser sends an empty part with an empty file name.
        if (name !== '') begin();
        part.on('data', (chunk: Buffer | string) => {
          if (!begun) begin();
          if (failed || content.write(chunk)) return;
          part.pause();
          content.once('drain', () => part.resume());
        });
        part.on('end', () => {
          if (begun && !failed) content.end();
        });
      });
    });
    parser.on('finish', () => {
      formEnded = true;
      // The body may continue after the form. Without resuming, the request would never end.
      req.unpipe(parser);
      req.resume();
      conclude();
    });
    parser.on('error', (error) =>
      fail(
        new HeadwayError(
          'upload-aborted',
          `The form is invalid: ${parts > 0 ? 'it ends too early' : 'no part begins with the boundary of the Content-Type'}.`,
          undefined,
          { cause: error },
        ),
      ),
    );
    const onData = (chunk: Buffer): void => {
      received += chunk.length;
      if (received > maxBytes) fail(tooLarge(maxBytes));
    };
    req.on('data', onData);
    req.on('end', () => {
      bodyEnded = true;
      conclude();
    });
    req.on('close', () => {
      if (!req.complete)
        fail(
          new HeadwayError(
            'upload-aborted',
            'The connection ended before the form was complete. Nothing was stored.',
          ),
        );
    });
    signal.addEventListener('abort', () => fail(signal.reason));
    req.pipe(parser);

    function conclude(): void {
      if (!formEnded || !bodyEnded || failed) return;
      if (saved) saved.then((file) => failed || resolve(file), fail);
      else fail(invalid('The form has no file in the field "file".'));
    }

    function fail(error: unknown): void {
      if (failed) return;
      failed = true;
      req.off('data', onData);
      req.unpipe(parser);
      parser.destroy();
      content.destroy();
      // The file may have been complete before the form turned out to be invalid.
      Promise.resolve(saved)
        .then(
          (file) => file && store.remove(file.id),
          () => undefined,
        )
        .then(
          () => reject(error),
          () => reject(error),
        );
    }
  });
}

const invalid = (detail: string): HeadwayError => new HeadwayError('invalid-request', detail);

const tooLarge = (bytes: number): HeadwayError =>
  new HeadwayError('file-too-large', `The form exceeds the limit of ${bytes} bytes. Nothing was stored.`);

function boundaryOf(req: IncomingMessage): string {
  const { boundary } = parse(req.headers['content-type'] ?? '').parameters;
  if (!boundary) throw invalid('The form is invalid: its Content-Type has no boundary.');
  // RFC 2046, section 5.1.1, allows 70 characters; the parser takes at most 250.
  if (boundary.length > 200 || !/^[\x20-\x7e]+$/.test(boundary)) {
    throw invalid('The form is invalid: the boundary in its Content-Type is not valid.');
  }
  return boundary;
}

/**
 * Returns the field that a part belongs to and the name of its file; `undefined` for a part that is not a file. RFC 7578
 * does not have `filename*`, but clients send it: it takes precedence over `filename` (RFC 6266, section 4.3).
 */
export function describePart(header: Record<string, string[]>): { field: string; name: string | undefined } {
  const raw = header['content-disposition']?.[0] ?? '';
  // Browsers encode a quote as %22 and do not escape backslashes; older clients escape quotes with a backslash.
  const { type, parameters } = parse(textOf(raw), { multipart: !raw.includes('\\"') });
  if (type !== 'form-data') return { field: '', name: undefined };
  const extended = parameters['filename*'];
  const name = (extended && decodeExtended(extended)) || parameters.filename;
  const isBinary = /^application\/octet-stream\b/i.test(header['content-type']?.[0] ?? '');
  return { field: parameters.name ?? '', name: name ?? (extended || isBinary ? '' : undefined) };
}

/** Whether the bytes of a part are encoded. RFC 7578, section 4.7, deprecates that. */
const isEncoded = (header: Record<string, string[]>): boolean =>
  !/^\s*(7bit|8bit|binary)?\s*$/i.test(header['content-transfer-encoding']?.[0] ?? '');

/** Decodes a header, which the parser reads as Latin-1. RFC 7578 requires UTF-8, but older clients send Latin-1. */
function textOf(bytes: string): string {
  const text = Buffer.from(bytes, 'latin1').toString('utf8');
  return text.includes('\ufffd') ? bytes : text;
}
