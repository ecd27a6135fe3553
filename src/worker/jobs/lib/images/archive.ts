import { createWriteStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** A file that goes into an archive. */
export interface ArchiveFile {
  /** Its name there. */
  name: string;
  path: string;
  size: number;
}

/**
 * Writes a zip of files and a report. The files are stored as they are: images do not get smaller.
 * @param report its name there and what it says
 * @param onBytes told how many bytes have been written
 */
export async function writeArchive(
  to: string,
  files: ArchiveFile[],
  report: { name: string; content: string },
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const { ZipFile } = await import('yazl');
  const zip = new ZipFile();
  const output = zip.outputStream as Readable;
  // A file that cannot be read is told by the zip, not by its stream.
  zip.on('error', (error: Error) => output.destroy(error));
  for (const { name, path } of files) zip.addFile(path, name, { compress: false });
  zip.addBuffer(Buffer.from(report.content), report.name);
  zip.end();
  let bytes = 0;
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
}
