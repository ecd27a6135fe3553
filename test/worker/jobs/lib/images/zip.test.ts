import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ZipFile as ZipWriter } from 'yazl';
import { openZip } from '../../../../../src/worker/jobs/lib/images/zip.js';
import { hasZip } from '../../../../../src/worker/jobs/lib/images/zip-reader.js';
import { zipOf } from '../../../../support/zip.js';

const folder = mkdtempSync(join(tmpdir(), 'headway-zip-'));
afterAll(() => rmSync(folder, { recursive: true }));

const path = join(folder, 'upload');

/** Reads the files of the zip in an upload with this content. */
async function read(...parts: (Buffer | string)[]): Promise<Record<string, string>> {
  writeFileSync(path, Buffer.concat(parts.map((part) => Buffer.from(part as string, 'latin1'))));
  const zip = await openZip(path);
  try {
    const files: Record<string, string> = {};
    for (const item of zip.items) {
      files[item.name] =
        item.reason ?? String(await buffer(await (item as { open(): Promise<Readable> }).open()));
    }
    return files;
  } finally {
    zip.close();
  }
}

/** A zip with 64-bit offsets or with a comment, written by yazl. */
function written(options: { forceZip64Format?: boolean; comment?: Buffer }): Promise<Buffer> {
  const zip = new ZipWriter();
  zip.addBuffer(Buffer.from('one'), 'a.jpg');
  zip.addBuffer(Buffer.from('two'), 'b/a.jpg', { compress: false });
  zip.end(options as never);
  return buffer(zip.outputStream as Readable);
}

const FILES = { 'a.jpg': 'one', 'b/a.jpg': 'two' };
const END = 'PK\x05\x06';

describe('openZip', () => {
  let zip: Buffer;
  let nested: Buffer;
  beforeAll(async () => {
    zip = await zipOf(FILES);
    nested = await zipOf(
      { 'a.jpg': 'one', 'inner.zip': await zipOf({ 'x.jpg': 'inner' }) },
      { compress: false },
    );
  });

  it.each<[string, Buffer | string, Buffer | string]>([
    ['a line end before it', '\r\n', ''],
    ['a byte order mark before it', '\xef\xbb\xbf', ''],
    ['the headers of a form before it', '--x\r\nContent-Type: application/zip\r\n\r\n', '\r\n--x--\r\n'],
    ['a program before it', Buffer.alloc(300_000, 'MZ PK\x03\x04 '), ''],
    ['a line end after it', '', '\n'],
    ['zeros of a block device after it', '', Buffer.alloc(900_000)],
    ['a page after it', '', '<html>'.repeat(20_000)],
    ['bytes like an end record after it', '', `${END}${'\0'.repeat(18)}${END}`],
    ['many false end records after it', '', END.repeat(50)],
    ['bytes on both sides', 'before', 'after'],
    ['the signature of a split zip before it', 'PK00', ''],
  ])('reads a zip with %s', async (_what, before, after) => {
    expect(await read(before, zip, after)).toEqual(FILES);
  });

  it('reads a zip with 64-bit offsets between other bytes', async () => {
    expect(await read('before', await written({ forceZip64Format: true }), 'after')).toEqual(FILES);
  });

  it('reads the outer zip when its comment contains a zip', async () => {
    const inner = await zipOf({ 'x.jpg': 'inner' });
    const commented = Buffer.concat([zip, inner]);
    commented.writeUInt16LE(inner.length, zip.length - 2);
    expect(await read(commented)).toEqual(FILES);
    expect(await read('before', await written({ comment: Buffer.from('a comment') }), 'after')).toEqual(
      FILES,
    );
    expect(await read((await written({ comment: Buffer.from('a comment') })).subarray(0, -3))).toEqual(FILES);
  });

  it('reads a zip with a gap between the directory and the end record', async () => {
    const end = zip.lastIndexOf(END, undefined, 'latin1');
    expect(await read(zip.subarray(0, end), 'signature', zip.subarray(end), 'after')).toEqual(FILES);
  });

  it('reads the outer zip when its last entry is a zip', async () => {
    expect(Object.keys(await read('before', nested, 'after'))).toEqual(['a.jpg', 'inner.zip']);
  });

  it.each([
    ['at its start', ''],
    ['after other bytes', 'before'],
  ])('does not read a zip inside a zip that is truncated %s', async (_where, before) => {
    const cut = nested.subarray(0, nested.indexOf('PK\x01\x02', nested.indexOf(END, 0, 'latin1'), 'latin1'));
    await expect(read(before, cut)).rejects.toThrow('The file is truncated');
  });

  it('rejects two zips in a row', async () => {
    await expect(read(zip, zip)).rejects.toThrow('contains more than one');
  });

  it.each<[string, (directory: Buffer) => void, string]>([
    ['a broken signature', (directory) => directory.write('XX'), 'its directory is damaged'],
    [
      'truncated extra fields',
      (directory) => directory.writeUInt16LE(0xffff, 30),
      'its directory is damaged',
    ],
    [
      'a strongly encrypted entry',
      (directory) => directory.writeUInt16LE(0x41, 8),
      'its directory is encrypted',
    ],
  ])('fails permanently with a reason for %s', async (_what, change, reason) => {
    const broken = Buffer.from(zip);
    // The second entry is changed: without the first the file would not be a zip.
    change(broken.subarray(broken.lastIndexOf('PK\x01\x02', undefined, 'latin1')));
    await expect(read(broken)).rejects.toMatchObject({
      permanent: true,
      message: `cannot read the zip: ${reason}`,
    });
  });

  it('does not report a disk error as an invalid zip', async () => {
    for (const path of [join(folder, 'gone'), folder]) {
      const error = await openZip(path).catch((thrown) => thrown);
      expect(error.message).toMatch(
        /^a file on the server could not be used: (the file does not exist|EISDIR)$/,
      );
      expect(error).not.toHaveProperty('permanent');
    }
  });

  it.each([
    ['an empty file', ''],
    ['a lone end record', `before${END}${'\0'.repeat(18)}`],
    ['end records without a directory', END.repeat(10_000)],
    ['the end of a zip without its start', 'cut'],
  ])('finds no zip in %s', async (what, content) => {
    writeFileSync(path, content === 'cut' ? zip.subarray(60) : Buffer.from(content, 'latin1'));
    expect([what, await hasZip(path)]).toEqual([what, false]);
  });
});
