import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { fromBufferPromise } from 'yauzl';
import { ZipFile as ZipWriter } from 'yazl';

/** Makes a ZIP file. A name that ends with a slash is a folder. */
export async function zipOf(
  files: Record<string, Buffer | string>,
  { compress = true } = {},
): Promise<Buffer> {
  const zip = new ZipWriter();
  for (const [name, content] of Object.entries(files)) {
    if (name.endsWith('/')) zip.addEmptyDirectory(name);
    else zip.addBuffer(Buffer.from(content), name, { compress });
  }
  zip.end();
  return buffer(zip.outputStream as Readable);
}

/** Reads a ZIP file strictly: everything the reader objects to is an error. */
export async function unzip(content: Buffer): Promise<Record<string, Buffer>> {
  const zip = await fromBufferPromise(content, { lazyEntries: true, strictFileNames: true });
  const files: Record<string, Buffer> = {};
  for await (const entry of zip.eachEntry()) {
    files[entry.fileName] = await buffer(await zip.openReadStreamPromise(entry));
  }
  return files;
}

/** Returns the offset of an entry in the central directory (APPNOTE 4.3.12). */
function directoryEntry(zip: Buffer, name: string): number {
  for (
    let at = zip.indexOf('PK\x01\x02', 0, 'latin1');
    at >= 0;
    at = zip.indexOf('PK\x01\x02', at + 4, 'latin1')
  ) {
    if (zip.toString('utf8', at + 46, at + 46 + zip.readUInt16LE(at + 28)) === name) return at;
  }
  throw new Error(`the zip has no ${name}`);
}

/** Marks an entry as encrypted. */
export function encrypted(zip: Buffer, name: string): Buffer {
  const out = Buffer.from(zip);
  const at = directoryEntry(out, name) + 8;
  out.writeUInt16LE(out.readUInt16LE(at) | 1, at);
  return out;
}

/** Gives an entry another name of the same length, which no ZIP writer would accept. */
export function renamed(zip: Buffer, name: string, to: string): Buffer {
  const out = Buffer.from(zip);
  out.write(to, directoryEntry(out, name) + 46);
  return out;
}

/** Gives an entry a wrong size. */
export function missized(zip: Buffer, name: string, size: number): Buffer {
  const out = Buffer.from(zip);
  out.writeUInt32LE(size, directoryEntry(out, name) + 24);
  return out;
}
