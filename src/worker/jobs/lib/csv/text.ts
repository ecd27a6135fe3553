import { createReadStream } from 'node:fs';
import { PermanentError } from '../../../../shared/errors.js';
import { loadOptional } from '../../../../shared/process/optional-packages.js';
import type { Encoding } from './encoding.js';

const CHUNK_BYTES = 256 * 1024;
const MARK = Buffer.from('\ufeff');

/**
 * Reads the text of a file as UTF-8, without its byte order mark.
 * @param onBytes called with the number of bytes read so far
 * @throws PermanentError if the file is not valid UTF-16
 */
export async function* readText(
  path: string,
  encoding: Encoding,
  signal: AbortSignal,
  onBytes: (bytes: number) => void = () => {},
): AsyncGenerator<Buffer> {
  const decoder = await createDecoder(encoding);
  let bytes = 0;
  let first = true;
  const withoutMark = (text: Buffer): Buffer => {
    if (!first || text.length === 0) return text;
    first = false;
    return text.subarray(0, MARK.length).equals(MARK) ? text.subarray(MARK.length) : text;
  };
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES, signal })) {
    bytes += (chunk as Buffer).length;
    onBytes(bytes);
    yield withoutMark(decoder.write(chunk as Buffer));
  }
  yield withoutMark(decoder.end());
}

interface Decoder {
  write(chunk: Buffer): Buffer;
  end(): Buffer;
}

async function createDecoder(encoding: Encoding): Promise<Decoder> {
  if (encoding === 'utf-8') return { write: (chunk) => chunk, end: () => Buffer.alloc(0) };
  if (encoding === 'utf-16le' || encoding === 'utf-16be') {
    const decoder = new TextDecoder(encoding, { fatal: true });
    const decode = (chunk?: Buffer): Buffer => {
      try {
        return Buffer.from(decoder.decode(chunk, { stream: chunk !== undefined }));
      } catch {
        throw new PermanentError(`the file is not valid ${encoding.toUpperCase()}`);
      }
    };
    return { write: decode, end: () => decode() };
  }
  // TextDecoder of Node 20 decodes windows-1252 as ISO 8859-1, which turns € into a control character.
  const { default: iconv } = await loadOptional('csv', () => import('iconv-lite'));
  const decoder = iconv.getDecoder(encoding);
  return {
    write: (chunk) => Buffer.from(decoder.write(chunk)),
    end: () => Buffer.from(decoder.end() ?? ''),
  };
}
