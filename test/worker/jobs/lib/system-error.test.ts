import { createReadStream } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { inflateRawSync } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { explained } from '../../../../src/worker/jobs/lib/images/reason.js';
import { asSystemError } from '../../../../src/worker/jobs/lib/system-error.js';
import { isPermanent } from '../../../../src/worker/run/failure.js';

const thrownBy = async (run: () => unknown): Promise<Error> => {
  try {
    await run();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
};

describe('an error of the operating system', () => {
  it.each<[string, () => unknown, string]>([
    ['a missing file', () => readFile('/nowhere/file'), 'the file does not exist'],
    [
      'a stream of a missing file',
      () => buffer(createReadStream('/nowhere/file')),
      'the file does not exist',
    ],
    ['a folder read as a file', async () => (await open('/')).readFile(), 'EISDIR'],
    [
      'too many open files',
      () => Promise.reject(Object.assign(new Error(), { code: 'EMFILE' })),
      'too many files are open',
    ],
    ['a failing disk', () => Promise.reject(Object.assign(new Error(), { code: 'EIO' })), 'disk I/O error'],
  ])(
    'is distinguished from an error of the input, with a message without paths: %s',
    async (_what, run, reason) => {
      const cause = await thrownBy(run);
      const error = asSystemError(cause)!;
      expect([error.message, error.cause]).toEqual([
        `a file on the server could not be used: ${reason}`,
        cause,
      ]);
      expect(isPermanent(error)).toBe(false);
    },
  );

  it('does not include errors of zlib, JavaScript or libraries', async () => {
    const others = [
      await thrownBy(() => inflateRawSync(Buffer.from('no deflate'))),
      new TypeError('x'),
      null,
      'ENOENT',
    ];
    expect(others.map(asSystemError)).toEqual(others.map(() => undefined));
  });

  it.each(['jpeg', 'png', 'webp', 'avif'] as const)(
    'is recognised in messages of libvips about %s',
    async (format) => {
      const image = sharp({ create: { width: 300, height: 300, channels: 3, background: '#c63' } }).toFormat(
        format,
      );
      for (const [path, reason] of [
        ['/dev/full', 'the disk is full'],
        ['/nowhere/file', 'the file does not exist'],
      ] as const) {
        const error = explained(await thrownBy(() => image.toFile(path)));
        expect([isPermanent(error), error.message]).toEqual([
          false,
          `a file on the server could not be used: ${reason}`,
        ]);
      }
    },
  );
});
