import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { Dicer } from '@fastify/busboy';
import { decodeExtended, parse } from 'content-disposition';
import { HeadwayError } from '../../shared/errors.js';
import type { FileStore, StoredFile } from '../../shared/files/store.js';

/** Each part costs a stream, however small it is. */
const MAX_PARTS = 100;

export interface FormOptions {
  store: FileStore;
  /** Aborted, with the error as its reason, when the form takes too long. */
  signal: AbortSignal;
  /** The length of the body, when the client said it. */
  length: number | undefined;
  /** The body may be this long. */
  maxBytes: number;
}

/**
 * Keeps the file in the field `file` of a `multipart/form-data` body (RFC 7578). Other fields are ignored. When the form is
 * broken in any way, nothing is left of it by the time the promise rejects.
 * @throws HeadwayError `invalid-request`, `upload-aborted`, `file-too-large`, and those of the store
 */
export function readForm(req: IncomingMessage, options: FormOptions): Promise<StoredFile> {
  const { store, signal, length, maxBytes } = options;
  const parser = new Dicer({ boundary: boundaryOf(req) });
  return new Promise<StoredFile>((resolve, reject) => {
    // A stream of our own between parser and disk: the parser's own says nothing when it is destroyed.
    const content = new PassThrough();
    content.on('error', () => {});
    let saved: Promise<StoredFile> | undefined;
    let failed = false;
    let parts = 0;
    let received = 0;
    let formEnded = false;
    let bodyEnded = false;

    parser.on('part', (part) => {
      // Said of a part that is cut off; the parser says the same.
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
            fail(invalid(`The file belongs into the field "file", not ${given}.`));
          } else if (isEncoded(header as Record<string, string[]>)) {
            fail(invalid('The file has a Content-Transfer-Encoding: send its bytes as they are.'));
          } else if (saved) fail(invalid('Send one file at a time.'));
          else {
            saved = store.save(name || 'file', content, undefined, length);
            saved.catch(fail);
          }
        };
        // A browser sends an empty part without a name for a field in which no file was chosen.
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
      // A body may go on after its form. The request would otherwise stop here, and never end.
      req.unpipe(parser);
      req.resume();
      conclude();
    });
    parser.on('error', (error) =>
      fail(
        new HeadwayError(
          'upload-aborted',
          `The form could not be read: ${parts > 0 ? 'it ends too early' : 'no part of it begins with the boundary that its Content-Type names'}.`,
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
        fail(new HeadwayError('upload-aborted', 'The connection ended before the file was whole.'));
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
      // The file may have been whole already when the form broke.
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
  new HeadwayError('file-too-large', `The form is larger than the ${bytes} bytes that this service takes.`);

function boundaryOf(req: IncomingMessage): string {
  const { boundary } = parse(req.headers['content-type'] ?? '').parameters;
  if (!boundary) throw invalid('The form could not be read: its Content-Type has no boundary.');
  // RFC 2046, section 5.1.1, says 70; the parser takes no more than 250.
  if (boundary.length > 200 || !/^[\x20-\x7e]+$/.test(boundary)) {
    throw invalid('The form could not be read: the boundary in its Content-Type is not valid.');
  }
  return boundary;
}

/**
 * Which field a part belongs to, and the name of its file: `undefined` for what is no file. RFC 7578 has no `filename*`, but
 * clients send it; where it can be read it says more than `filename` (RFC 6266, section 4.3).
 */
export function describePart(header: Record<string, string[]>): { field: string; name: string | undefined } {
  const raw = header['content-disposition']?.[0] ?? '';
  // Browsers write a quote as %22 and mean a backslash as itself; older clients escape the quote.
  const { type, parameters } = parse(textOf(raw), { multipart: !raw.includes('\\"') });
  if (type !== 'form-data') return { field: '', name: undefined };
  const extended = parameters['filename*'];
  const name = (extended && decodeExtended(extended)) || parameters.filename;
  const isBinary = /^application\/octet-stream\b/i.test(header['content-type']?.[0] ?? '');
  return { field: parameters.name ?? '', name: name ?? (extended || isBinary ? '' : undefined) };
}

/** Whether a part says that its bytes stand for others; RFC 7578, section 4.7, does away with that. */
const isEncoded = (header: Record<string, string[]>): boolean =>
  !/^\s*(7bit|8bit|binary)?\s*$/i.test(header['content-transfer-encoding']?.[0] ?? '');

/** The parser gives a character for each byte: UTF-8 by RFC 7578, but older clients send Latin-1. */
function textOf(bytes: string): string {
  const text = Buffer.from(bytes, 'latin1').toString('utf8');
  return text.includes('\ufffd') ? bytes : text;
}
