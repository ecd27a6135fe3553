import { describe, expect, it } from 'vitest';
import { nameOutputs } from '../../../../../src/worker/jobs/lib/images/outputs.js';
import { UniqueNames } from '../../../../../src/worker/jobs/lib/images/variant.js';

/** What the report says of images, each with the names of its variants. */
const outputs = (...images: [string, ...string[]][]): string[][] =>
  nameOutputs(
    images.map(([image, ...files]) => ({ image, files: files.map((name) => ({ name })) })),
  ).outputs.map(({ image, files }) => [image, ...files]);

describe('nameOutputs', () => {
  it('keeps images of the same name in different folders apart', () => {
    expect(
      outputs(['a/x.jpg', 'x-1.webp', 'x-2.webp'], ['b/x.jpg', 'x-1.webp'], ['x.jpg', 'x-1.webp']),
    ).toEqual([
      ['a/x.jpg', 'a/x-1.webp', 'a/x-2.webp'],
      ['b/x.jpg', 'b/x-1.webp'],
      ['x.jpg', 'x-1.webp'],
    ]);
  });

  it('names the files apart that would be one on some system', () => {
    expect(
      outputs(
        ['a/x.jpg', 'x.webp'],
        ['a/x.png', 'x.webp'],
        ['A/X.jpg', 'X.webp'],
        ['./a//x.gif', 'x.webp'],
        ['a\u0308/x.jpg', 'x.webp'],
        ['\u00e4/x.jpg', 'x.webp'],
        ['a?/x.jpg', 'x.webp'],
      ).map(([, file]) => file),
    ).toEqual([
      'a/x.webp',
      'a/x-2.webp',
      'A/X-3.webp',
      'a/x-4.webp',
      '\u00e4/x.webp',
      '\u00e4/x-2.webp',
      'a/x-5.webp',
    ]);
  });

  it('gives no file the name of a folder', () => {
    const { files, report } = nameOutputs([
      { image: 'x.jpg', files: [{ name: 'x.webp' }] },
      { image: 'x.webp/report.json/y.jpg', files: [{ name: 'y.webp' }] },
      { image: 'Report.json/z.jpg', files: [{ name: 'z.webp' }] },
    ]);
    expect(files.map(({ name }) => name)).toEqual([
      'x-2.webp',
      'x.webp/report.json/y.webp',
      'Report.json/z.webp',
    ]);
    expect(report).toBe('report-2.json');
  });
});

describe('UniqueNames', () => {
  it('steps over numbers that are taken', () => {
    const names = new UniqueNames();
    const added = [
      'a.jpg',
      'a-2.jpg',
      'A.jpg',
      'a.jpg',
      'a-2.jpg',
      'a-3.jpg',
      'v1.0/a',
      'v1.0/a',
      '.a',
      '.a',
    ];
    expect(added.map((name) => names.add(name))).toEqual([
      'a.jpg',
      'a-2.jpg',
      'A-3.jpg',
      'a-4.jpg',
      'a-2-2.jpg',
      'a-3-2.jpg',
      'v1.0/a',
      'v1.0/a-2',
      '.a',
      '.a-2',
    ]);
  });

  it('names the variants of 300 equal names without holding up the event loop', () => {
    const names = new UniqueNames();
    const began = performance.now();
    const added = new Set(Array.from({ length: 300 * 20 }, () => names.add('photo.webp')));
    // Searching from 2 for each name takes more than 18 million looks.
    expect(performance.now() - began).toBeLessThan(1000);
    expect(added.size).toBe(6000);
  });
});
