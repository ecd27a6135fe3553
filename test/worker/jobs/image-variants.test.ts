import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { validate } from '../../../src/shared/jobs/schema.js';
import imageVariant from '../../../src/worker/jobs/image-variant.js';
import imageVariants from '../../../src/worker/jobs/image-variants.js';
import type { MadeVariant } from '../../../src/worker/jobs/lib/images/make.js';
import { familyJobs } from '../../support/family.js';
import { type Headway, startHeadway } from '../../support/headway.js';
import { jobsDir } from '../../support/jobs.js';
import { startWorker, type TestProcess } from '../../support/processes.js';
import { openTestStore, runJob, runOnFile } from '../../support/run-job.js';
import { openStream } from '../../support/sse.js';
import { until } from '../../support/until.js';
import { encrypted, missized, renamed, unzip, zipOf } from '../../support/zip.js';

// biome-ignore lint/suspicious/noExplicitAny: a definition is used with whatever its schema says
const ofOne = imageVariant as any;
// biome-ignore lint/suspicious/noExplicitAny: the same
const ofAny = imageVariants as any;

const image = (width: number, height: number, format: 'jpeg' | 'png' | 'webp' = 'jpeg'): Promise<Buffer> =>
  sharp({ create: { width, height, channels: 3, background: '#c63' } })
    .toFormat(format)
    .toBuffer();

/** An animation with three frames, each of one colour. */
async function animation(format: 'gif' | 'webp', { width = 40, height = 30, orientation = 1 } = {}) {
  const frames = ['#f00', '#0f0', '#00f'].map((background) =>
    sharp({ create: { width, height, channels: 3, background } })
      .png()
      .toBuffer(),
  );
  return sharp(await Promise.all(frames), { join: { animated: true } })
    .withMetadata({ orientation })
    .toFormat(format, { delay: [100, 200, 300], loop: 2 })
    .toBuffer();
}

/** A GIF with many frames of one pixel on a large canvas. */
function vastAnimation(side: number, frames: number): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt16LE(side, 0);
  size.writeUInt16LE(side, 2);
  const frame = Buffer.from('21f904000a000000' + '2c00000000010001000002024401' + '00', 'hex');
  return Buffer.concat([
    Buffer.from('GIF89a'),
    size,
    Buffer.from('800000ffffff000000', 'hex'),
    ...Array.from({ length: frames }, () => frame),
    Buffer.from(';'),
  ]);
}

/** A black PNG with one bit per pixel, which is quick to make. */
function vastPicture(width: number, height: number): Buffer {
  const chunk = (type: string, content: Buffer): Buffer => {
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    const body = Buffer.concat([Buffer.from(type, 'latin1'), content]);
    length.writeUInt32BE(content.length);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  const header = Buffer.from('0000000000000000' + '0100000000', 'hex');
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  const lines = deflateSync(Buffer.alloc((1 + Math.ceil(width / 8)) * height), { level: 1 });
  return Buffer.concat([
    Buffer.from('89504e470d0a1a0a', 'hex'),
    chunk('IHDR', header),
    chunk('IDAT', lines),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

describe('image-variant', () => {
  const run = async (content: Buffer | string, variants: object[], signal?: AbortSignal) =>
    runOnFile(ofOne, content, { data: { variants }, name: 'holiday.jpg', ...(signal ? { signal } : {}) });

  it('creates each variant in its size and format', async () => {
    const variants = [
      { width: 100, format: 'webp' },
      { height: 50, format: 'png' },
      { width: 80, height: 80, fit: 'cover', format: 'avif', quality: 40 },
      { width: 80, height: 80, fit: 'contain', format: 'jpeg', suffix: 'square' },
      { width: 80, height: 80, format: 'jpeg' },
      { format: 'webp', suffix: 'same' },
      { width: 4000, format: 'png', suffix: 'no-larger' },
    ];
    const { result, content, seen } = await run(await image(400, 200), variants);
    const made = await Promise.all(
      (result.variants as MadeVariant[]).map(async ({ width, height, file }) => {
        const actual = await sharp(content(file.id)).metadata();
        expect([actual.width, actual.height, file.size]).toEqual([width, height, content(file.id).length]);
        return [file.name, actual.format === 'heif' ? actual.compression : actual.format, width, height];
      }),
    );
    expect(made).toEqual([
      ['holiday-w100.webp', 'webp', 100, 50],
      ['holiday-h50.png', 'png', 100, 50],
      ['holiday-80x80.avif', 'av1', 80, 80],
      ['holiday-square.jpg', 'jpeg', 80, 80],
      ['holiday-80x80.jpg', 'jpeg', 80, 40],
      ['holiday-same.webp', 'webp', 400, 200],
      ['holiday-no-larger.png', 'png', 400, 200],
    ]);
    expect(seen.at(-1)).toMatchObject({ percent: 100, current: 7, total: 7, unit: 'variants' });
  });

  it('rotates a photograph by its EXIF orientation and removes its location', async () => {
    const photo = await sharp({ create: { width: 60, height: 40, channels: 3, background: 'white' } })
      .composite([{ input: await image(20, 40, 'png'), left: 0, top: 0 }])
      .withExif({ IFD3: { GPSLatitude: '52/1 30/1 0/1', GPSLatitudeRef: 'N' } })
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer();
    const { result, content } = await run(photo, [{ width: 400, format: 'png' }]);
    const made = content(result.variants[0].file.id);
    expect(await sharp(made).metadata()).toMatchObject({ width: 40, height: 60 });
    expect(await sharp(made).metadata()).not.toHaveProperty('exif');
    // The photo is rotated clockwise by 90 degrees: the left side is on top.
    const pixel = async (left: number, top: number) => [
      ...(await sharp(made).extract({ left, top, width: 1, height: 1 }).raw().toBuffer()),
    ];
    expect((await pixel(20, 5))[2]).toBeLessThan(120);
    expect((await pixel(20, 55))[2]).toBeGreaterThan(240);
  });

  it('replaces transparency with white in JPEG', async () => {
    const clear = await sharp({
      create: { width: 10, height: 10, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0 } },
    })
      .png()
      .toBuffer();
    const { result, content } = await run(clear, [{ format: 'jpeg' }]);
    const [red] = await sharp(content(result.variants[0].file.id)).raw().toBuffer();
    expect(red).toBe(255);
  });

  it.each(['gif', 'webp'] as const)('keeps the frames of an animated %s in WebP', async (format) => {
    const { result, content } = await run(await animation(format), [
      { format: 'webp', suffix: 'same' },
      { width: 20, format: 'webp' },
      { width: 20, height: 20, fit: 'cover', format: 'webp', quality: 50 },
      { width: 20, height: 20, fit: 'contain', format: 'webp', suffix: 'square' },
      { width: 20, format: 'jpeg' },
      { width: 20, format: 'png' },
      { width: 20, format: 'avif' },
    ]);
    expect(result).toMatchObject({ frames: 3, failed: [] });
    const made = (result.variants as MadeVariant[]).map(({ width, height, frames, file }) => [
      file.name,
      width,
      height,
      frames,
    ]);
    expect(made).toEqual([
      ['holiday-same.webp', 40, 30, 3],
      ['holiday-w20.webp', 20, 15, 3],
      ['holiday-20x20.webp', 20, 20, 3],
      ['holiday-square.webp', 20, 20, 3],
      ['holiday-w20.jpg', 20, 15, undefined],
      ['holiday-w20.png', 20, 15, undefined],
      ['holiday-w20.avif', 20, 15, undefined],
    ]);
    for (const { file, frames } of (result.variants as MadeVariant[]).slice(0, 4)) {
      const actual = await sharp(content(file.id), { animated: true }).metadata();
      expect(actual).toMatchObject({ pages: frames, delay: [100, 200, 300], loop: 2 });
    }
  });

  it.each([
    ['has an EXIF rotation', () => animation('webp', { orientation: 6 }), 3],
    ['exceeds the pixel limit in all frames together', async () => vastAnimation(1000, 101), 101],
  ])(
    'uses the first frame of an animation that %s, and reports its number of frames',
    async (_why, make, frames) => {
      const { result } = await run(await make(), [{ width: 8, height: 8, fit: 'fill', format: 'webp' }]);
      expect(result).toMatchObject({ frames, failed: [], variants: [{ width: 8, height: 8 }] });
      expect(result.variants[0]).not.toHaveProperty('frames');
    },
  );

  it.each([
    ['an animated PNG', 'animated.png', (content: Buffer) => content],
    [
      'an AVIF sequence with the brand avis, which libvips does not recognise',
      'sequence.avif',
      (content: Buffer) => content,
    ],
    [
      'an AVIF sequence that libvips reads as one image',
      'sequence.avif',
      (content: Buffer) => Buffer.concat([content.subarray(0, 8), Buffer.from('avif'), content.subarray(12)]),
    ],
  ])('shows the first frame of %s, and reports how many it has', async (_what, name, change) => {
    // Pillow 12.3 wrote the file, with three frames of 8 × 6 pixels, red, green and blue.
    const content = change(readFileSync(new URL(`./lib/images/files/${name}`, import.meta.url)));
    const made = await run(content, [{ format: 'webp' }, { format: 'png' }]);
    expect(made.result).toMatchObject({ frames: 3, failed: [] });
    expect((made.result.variants as MadeVariant[]).map(({ frames }) => frames)).toEqual([
      undefined,
      undefined,
    ]);
    const [red, green] = await sharp(made.content(made.result.variants[1].file.id)).raw().toBuffer();
    expect([red! > 240, green! < 15]).toEqual([true, true]);
  });

  it.each([
    ['PNG', 'png'],
    ['AVIF', 'avif'],
    ['GIF of one frame', 'gif'],
  ] as const)('does not mention frames for a plain %s', async (_what, format) => {
    const still = await sharp(await image(8, 6, 'png'))
      .toFormat(format)
      .toBuffer();
    expect((await run(still, [{ format: 'webp' }])).result).not.toHaveProperty('frames');
  });

  it('creates the other variants when the image is too large for a format, and reports why', async () => {
    const { result, seen } = await run(await image(4, 16_400, 'png'), [
      { format: 'webp' },
      { format: 'png' },
      { format: 'avif', suffix: 'all' },
      { height: 100, format: 'webp' },
    ]);
    expect(result.failed).toEqual([
      {
        variant: 'holiday.webp',
        reason: 'too large for WebP, which supports at most 16,383 pixels per side',
      },
      {
        variant: 'holiday-all.avif',
        reason: 'too large for AVIF, which supports at most 16,384 pixels per side',
      },
    ]);
    expect((result.variants as MadeVariant[]).map(({ file }) => file.name)).toEqual([
      'holiday.png',
      'holiday-h100.webp',
    ]);
    expect(seen.at(-1)).toMatchObject({ percent: 100, current: 4, total: 4 });
  });

  it('fails when no variant can be made, with each reason once', async () => {
    const failing = run(await image(4, 65_600, 'png'), [
      { format: 'jpeg' },
      { format: 'webp' },
      { format: 'webp', suffix: 'again' },
    ]);
    await expect(failing).rejects.toMatchObject({
      permanent: true,
      message:
        'too large for JPEG, which supports at most 65,535 pixels per side; ' +
        'too large for WebP, which supports at most 16,383 pixels per side',
    });
  });

  it('lists the failed variants of a single image in the report', async () => {
    const { result, content } = await runOnFile(ofAny, await animation('gif', { height: 16_400, width: 2 }), {
      data: { variants: [{ format: 'webp' }, { height: 50, format: 'webp' }, { format: 'png' }] },
      name: 'tall.gif',
    });
    const said = {
      images: 1,
      variants: 2,
      failed: [
        { name: 'tall.gif', variant: 'tall.webp', reason: expect.stringMatching(/^too large for WebP/) },
      ],
      firstFrameOnly: [{ name: 'tall.gif', frames: 3, variants: 1 }],
    };
    expect(result).toMatchObject(said);
    const report = String((await unzip(content(result.archive.id)))['report.json']);
    expect(JSON.parse(report)).toMatchObject(said);
  });

  it.each(['jpeg', 'png', 'webp', 'avif', 'gif', 'tiff'] as const)(
    'does not expose files of the server when a %s is damaged',
    async (format) => {
      const whole = await sharp({ create: { width: 200, height: 200, channels: 3, background: '#36c' } })
        .toFormat(format)
        .toBuffer();
      const damaged = [20, 40, 100, 300, whole.length >> 1, whole.length - 9].map((length) =>
        whole.subarray(0, length),
      );
      damaged.push(Buffer.concat([whole.subarray(0, 12), Buffer.alloc(500, 7)]));
      for (const content of damaged) {
        const reason = await run(content, [{ format: 'png' }]).then(
          () => 'made',
          ({ message }: Error) => message,
        );
        // Decoders ignore damage after the last pixel.
        expect(reason).toMatch(/^(made$|damaged \(.{5,}\)$|not a supported image)/);
        expect(reason).not.toMatch(/[/\\]|file_/);
      }
    },
  );

  it.each([
    ['a text file', Buffer.from('just words'), /^not a supported image \(JPEG, PNG/],
    ['an empty file', Buffer.alloc(0), /^not a supported image/],
    [
      'an SVG',
      Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
      /^not a supported image/,
    ],
    ['a zip', Buffer.from('PK\x03\x04 and more of it'), /^not a supported image/],
    [
      'a file that begins like a JPEG',
      Buffer.concat([Buffer.from('ffd8ffe0', 'hex'), Buffer.alloc(900)]),
      /^damaged \(/,
    ],
  ])('refuses %s', async (_what, content, reason) => {
    const failing = run(content, [{ format: 'png' }]);
    await expect(failing).rejects.toMatchObject({ permanent: true, message: expect.stringMatching(reason) });
  });

  it('rejects a truncated image and an image with too many pixels', async () => {
    const whole = await sharp({
      create: { width: 500, height: 500, channels: 3, background: 'white', noise: { type: 'gaussian' } },
    } as never)
      .jpeg()
      .toBuffer();
    const cut = whole.subarray(0, whole.length / 2);
    await expect(run(cut, [{ format: 'png' }])).rejects.toThrow(/^damaged/);
    const huge = vastPicture(20_000, 5001);
    await expect(run(huge, [{ width: 10, format: 'png' }])).rejects.toThrow('more than 100 million pixels');
  });

  it('does not reveal the id of an expired file', async () => {
    const running = runJob(ofOne, { file: `file_${'A'.repeat(27)}`, variants: [{ format: 'png' }] });
    await expect(running).rejects.toThrow(/^The file does not exist; it may have expired\.$/);
  });

  it('leaves no files behind when it fails or is stopped', async () => {
    const store = openTestStore();
    const controller = new AbortController();
    const variants = [{ format: 'png' }, { format: 'webp' }];
    const created: string[] = [];
    const create = store.create;
    store.create = async (...args) => {
      const file = await create(...args);
      created.push(file.id);
      controller.abort(new Error('stop'));
      return file;
    };
    const data = { data: { variants }, store, signal: controller.signal };
    await expect(runOnFile(ofOne, await image(10, 10), data)).rejects.toThrow('stop');
    expect(created).toHaveLength(1);
    expect(await store.stat(created[0]!)).toBeUndefined();
  });
});

describe('image-variants', () => {
  let headway: Headway;
  beforeAll(async () => {
    headway = await startHeadway({
      env: { JOBS_DIR: jobsDir(...familyJobs()), QUEUE_NAME: 'all' },
    });
  });
  afterAll(() => headway.stop());

  /** Uploads a file and runs the job on it. */
  async function run(name: string, content: Buffer | string, variants?: object[]) {
    const { id } = await headway.client.upload(name, content);
    const job = await headway.client.start('image-variants', { file: id, ...(variants ? { variants } : {}) });
    const stream = await openStream(headway.client.events(job), { token: job.token });
    await stream.ended;
    const { event, data } = stream.events.at(-1)!;
    const archive = async () =>
      unzip(Buffer.from(await (await headway.client.result(job, '?file=archive')).arrayBuffer()));
    return { event, result: data.result, error: data.error, upload: id, archive, stream };
  }
  const files = (): string[] =>
    readdirSync(join(headway.env.DATA_DIR!, 'files')).filter((name) => name.startsWith('file_'));

  it('creates the default variants and a report for a single image', async () => {
    const { result, archive, stream } = await run('a cat.png', await image(2000, 1000, 'png'));
    expect(result).toMatchObject({
      images: 1,
      variants: 2,
      failed: [],
      archive: { name: 'a cat-variants.zip' },
    });
    const content = await archive();
    expect(Object.keys(content)).toEqual(['a cat-large.webp', 'a cat-thumb.jpg', 'report.json']);
    expect(await sharp(content['a cat-large.webp']).metadata()).toMatchObject({ width: 1600, height: 800 });
    expect(await sharp(content['a cat-thumb.jpg']).metadata()).toMatchObject({ width: 320, height: 320 });
    expect(JSON.parse(String(content['report.json']))).toEqual({
      images: 1,
      variants: 2,
      failed: [],
      outputs: [{ image: 'a cat.png', files: ['a cat-large.webp', 'a cat-thumb.jpg'] }],
    });
    expect(stream.events.findLast(({ event }) => event === 'progress')!.data.percent).toBe(100);
  });

  it('creates the variants of every image in a zip, and reports the files that cannot be used', async () => {
    const jpeg = await image(64, 32);
    let zip = await zipOf({
      'trip/': '',
      'trip/one.jpg': jpeg,
      'trip/two.png': await image(32, 64, 'png'),
      'other/one.jpg': await image(30, 30),
      'broken.jpg': jpeg.subarray(0, 200),
      'notes.txt': 'buy film',
      'secret.jpg': jpeg,
      'xx/outside.jpg': jpeg,
      'short.png': await image(50, 50, 'png'),
      '.hidden.jpg': jpeg,
      '__MACOSX/trip/._one.jpg': 'resource fork',
    });
    // Other bytes before and after the zip, as some programs send them.
    zip = missized(renamed(encrypted(zip, 'secret.jpg'), 'xx/outside.jpg', '../outside.jpg'), 'short.png', 9);
    const before = files();
    const { result, archive, stream, upload } = await run(
      'trip.zip',
      Buffer.concat([Buffer.from('\r\n'), zip, Buffer.from('\r\n')]),
      [
        { width: 16, format: 'webp' },
        { width: 8, height: 8, fit: 'cover', format: 'jpeg', suffix: 'tiny' },
      ],
    );
    expect(result).toMatchObject({ images: 3, variants: 6, archive: { name: 'trip-variants.zip' } });
    expect(result.failed).toEqual([
      { name: '../outside.jpg', reason: 'the path is outside the zip' },
      { name: 'broken.jpg', reason: expect.stringMatching(/^damaged \(/) },
      { name: 'notes.txt', reason: expect.stringMatching(/^not a supported image/) },
      { name: 'secret.jpg', reason: 'encrypted' },
      { name: 'short.png', reason: 'cannot be extracted: its size differs from the size in the directory' },
    ]);
    const content = await archive();
    expect(Object.keys(content)).toEqual([
      'trip/one-w16.webp',
      'trip/one-tiny.jpg',
      'trip/two-w16.webp',
      'trip/two-tiny.jpg',
      'other/one-w16.webp',
      'other/one-tiny.jpg',
      'report.json',
    ]);
    expect(await sharp(content['trip/two-w16.webp']).metadata()).toMatchObject({ width: 16, height: 32 });
    expect(await sharp(content['other/one-tiny.jpg']).metadata()).toMatchObject({ width: 8, height: 8 });
    const report = JSON.parse(String(content['report.json']));
    expect(report.failed).toEqual(result.failed);
    expect(report.outputs).toEqual([
      { image: 'trip/one.jpg', files: ['trip/one-w16.webp', 'trip/one-tiny.jpg'] },
      { image: 'trip/two.png', files: ['trip/two-w16.webp', 'trip/two-tiny.jpg'] },
      { image: 'other/one.jpg', files: ['other/one-w16.webp', 'other/one-tiny.jpg'] },
    ]);
    // The progress comes from the children, and only the broken image is reported.
    const stages = stream.events.flatMap(({ event, data }) => (event === 'progress' ? [data.stage] : []));
    expect([...new Set(stages)].at(-1)).toBe('archive');
    expect(stream.events.filter(({ event }) => event === 'child').map(({ data }) => data.error.code)).toEqual(
      ['permanent'],
    );
    // Intermediate files have been removed.
    expect(
      files()
        .filter((id) => !before.includes(id))
        .sort(),
    ).toEqual([upload, result.archive.id].sort());
  });

  it('reports failed variants and animations reduced to their first frame', async () => {
    const zip = await zipOf({
      'a/moves.gif': await animation('gif'),
      'b/tall.png': await image(4, 16_400, 'png'),
    });
    const { result, archive } = await run('mixed.zip', zip, [{ format: 'webp' }, { format: 'png' }]);
    const said = {
      images: 2,
      variants: 3,
      failed: [
        { name: 'b/tall.png', variant: 'tall.webp', reason: expect.stringMatching(/^too large for WebP/) },
      ],
      firstFrameOnly: [{ name: 'a/moves.gif', frames: 3, variants: 1 }],
    };
    expect(result).toMatchObject(said);
    const content = await archive();
    expect(Object.keys(content)).toHaveLength(4);
    expect(JSON.parse(String(content['report.json']))).toMatchObject(said);
  });

  it('fails when none of the images can be used', async () => {
    const { event, error } = await run('all.zip', await zipOf({ 'a.jpg': 'no', 'b.jpg': 'neither' }));
    expect([event, error]).toEqual([
      'failed',
      {
        code: 'permanent',
        message: expect.stringMatching(/^none of the 2 files could be used; a\.jpg: not a supported image/),
      },
    ]);
  });

  it.each([
    ['a text file', 'notes.txt', async () => 'words', /^the file is neither a supported image \(JPEG, /],
    [
      'a damaged image',
      'a.png',
      async () => (await image(99, 99, 'png')).subarray(0, 60),
      /^cannot process the image: damaged \(/,
    ],
    ['an empty zip', 'a.zip', () => zipOf({ 'folder/': '' }), /^the zip contains no images$/],
    [
      'a truncated zip',
      'a.zip',
      async () => (await zipOf({ 'a.jpg': 'x' })).subarray(0, 40),
      /^cannot read the zip: /,
    ],
    [
      'a zip bomb',
      'a.zip',
      () => zipOf({ 'a.bmp': Buffer.alloc(80 * 1024 * 1024) }),
      /^the zip would be 83886080 bytes after extraction, \d+ times its size/,
    ],
    [
      'a zip that claims terabytes of content',
      'a.zip',
      async () => {
        const names = Array.from({ length: 3 }, (_, i) => `${i}.jpg`);
        const zip = await zipOf(Object.fromEntries(names.map((name) => [name, 'x'])));
        return names.reduce((lying, name) => missized(lying, name, 0xf0000000), zip);
      },
      /^the zip would be 12079595520 bytes/,
    ],
    [
      'a zip with too many files',
      'a.zip',
      () =>
        zipOf(Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`${i}.jpg`, 'x'])), {
          compress: false,
        }),
      /^the zip has 1001 files; the limit is 1000$/,
    ],
  ])('refuses %s', async (_what, name, content, message) => {
    const { event, error } = await run(name, await content());
    expect([event, error]).toEqual([
      'failed',
      { code: 'permanent', message: expect.stringMatching(message) },
    ]);
  });

  it.each(['image-variants', 'image-variant', 'csv-import', 'checksum'])(
    'does not expose paths and ids of files that cannot be read: %s',
    async (name) => {
      const { id } = await headway.client.upload('a.csv', 'a,b\n1,2\n');
      const content = join(headway.env.DATA_DIR!, 'files', id, 'content');
      rmSync(content);
      mkdirSync(content);
      const job = await headway.client.start(name, { file: id }, { attempts: 1 });
      const stream = await openStream(headway.client.events(job), { token: job.token });
      await stream.ended;
      expect(stream.events.at(-1)).toMatchObject({
        event: 'failed',
        data: { error: { message: expect.stringMatching(/^(EISDIR|The stored file is damaged)/) } },
      });
      expect(JSON.stringify(stream.events)).not.toMatch(/\/content|file_[\w-]{27}/);
    },
  );

  it('rejects invalid variants before anything is queued', async () => {
    const file = `file_${'A'.repeat(27)}`;
    const pointers = async (variants: unknown) =>
      (await validate(imageVariants.input, { file, variants })).errors?.map(({ pointer }) => pointer);
    expect(await pointers([])).toEqual(['/variants']);
    expect(await pointers([{ format: 'bmp' }])).toEqual(['/variants/0/format']);
    expect(await pointers([{ format: 'png' }, { width: 0, format: 'png' }])).toEqual(['/variants/1/width']);
    expect(await pointers([{ format: 'png', suffix: '../x' }])).toEqual(['/variants/0/suffix']);
    expect(await pointers(Array.from({ length: 21 }, () => ({ format: 'png' })))).toEqual(['/variants']);
    expect(await pointers(undefined)).toBeUndefined();
  });

  describe('whose workers are in trouble', () => {
    let other: Headway;
    beforeAll(async () => {
      other = await startHeadway({
        workers: 0,
        env: { LOCK_DURATION_MS: '1000', STALLED_INTERVAL_MS: '500' },
      });
    });
    afterEach(() => Promise.all(other.workers.splice(0).map((worker) => worker.kill())));
    afterAll(() => other.stop());

    it('fails, and blames no picture, when the disk of its worker is full', async () => {
      const full = { ...other.env, FILES_MIN_FREE_BYTES: String(Number.MAX_SAFE_INTEGER) };
      other.workers.push(await startWorker(full));
      const { id } = await other.client.upload('a.zip', await zipOf({ 'a.png': await image(10, 10, 'png') }));
      const job = await other.client.start('image-variants', { file: id }, { attempts: 1 });
      const stream = await openStream(other.client.events(job), { token: job.token });
      await stream.ended;
      expect(stream.events.at(-1)).toMatchObject({
        event: 'failed',
        data: { error: { message: expect.stringMatching(/^Not enough free disk space/) } },
      });
    });

    it('continues after its worker is killed, and cancels its children when it is cancelled', async () => {
      const started = async (jobs: string): Promise<TestProcess> => {
        const worker = await startWorker({ ...other.env, WORKER_JOBS: jobs });
        other.workers.push(worker);
        return worker;
      };
      const pictures: Record<string, Buffer> = {};
      for (let i = 0; i < 12; i++) pictures[`${i}.png`] = await image(300 + i, 300, 'png');
      const { id } = await other.client.upload('pictures.zip', await zipOf(pictures));
      const variants = [{ width: 280, format: 'avif' }];
      const begin = async () => {
        const job = await other.client.start('image-variants', { file: id, variants });
        return { job, stream: await openStream(other.client.events(job), { token: job.token }) };
      };
      // biome-ignore lint/suspicious/noExplicitAny: a job as GET shows it
      const view = async (job: any) => (await other.client.get(job)).json() as Promise<any>;

      const [parent] = await Promise.all([started('image-variants'), started('image-variant')]);
      const first = await begin();
      await until('some are done', async () => (await view(first.job)).children?.completed >= 3);
      await parent.kill('SIGKILL');
      await started('image-variants');
      await first.stream.ended;
      expect(first.stream.events.at(-1)!.data.result).toMatchObject({ images: 12, variants: 12, failed: [] });
      expect((await view(first.job)).children).toMatchObject({ total: 12, completed: 12 });

      const second = await begin();
      await until('some are done', async () => (await view(second.job)).children?.completed >= 3);
      await other.client.cancel(second.job);
      await second.stream.ended;
      expect(second.stream.names().at(-1)).toBe('cancelled');
      await until('no child is left', async () => (await view(second.job)).children.pending === 0);
      expect((await view(second.job)).children.completed).toBeLessThan(12);
    });
  });
});
