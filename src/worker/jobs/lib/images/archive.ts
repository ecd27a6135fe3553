import { createWriteStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { loadOptional } from '../../../../shared/process/optional-packages.js';

/** A file to add to an archive. */
export interface ArchiveFile {
  /** Name in the archive. */
  name: string;
  size: number;
  /** Opens the content. It is called when the archive has come to this file. */
  stream: () => Readable;
}

/**
 * Writes a zip of files and a report. Files are stored without compression, because images are compressed already.
 * @param report name and content of the report
 * @param onBytes called with the number of bytes written so far
 */
export async function writeArchive(
  to: string,
  files: ArchiveFile[],
  report: { name: string; content: string },
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const { ZipFile } = await loadOptional('zip', () => import('yazl'));
  const zip = new ZipFile();
  const output = zip.outputStream as Readable;
  // yazl emits its errors on the zip and not on its output.
  zip.on('error', (error: Error) => output.destroy(error));
  let reading: Readable | undefined;
  for (const { name, size, stream } of files) {
    zip.addReadStreamLazy(name, { compress: false, size }, (begin) => {
      reading = stream().on('error', (error) => output.destroy(error));
      begin(null, reading);
    });
  }
  zip.addBuffer(Buffer.from(report.content), report.name);
  zip.end();
  let bytes = 0;
  try {
    await pipeline(
      output,
      async function* count(chunks: AsyncIterable<Buffer>) {
        for await (const chunk of chunks) {
          bytes += chunk.length;
          onBytes(bytes);
          yield chunk;
        }
      },
      createWriteStream(to, { mode: 0o600 }),
      { signal },
    );
  } finally {
    // yazl leaves the file open that it was reading.
    reading?.destroy();
  }
}
