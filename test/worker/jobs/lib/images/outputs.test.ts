import { describe, expect, it } from 'vitest';
import { nameOutputs } from '../../../../../src/worker/jobs/lib/images/outputs.js';
import { UniqueNames } from '../../../../../src/worker/jobs/lib/images/variant.js';
import { cpuTimeOf } from '../../../../support/cpu-time.js';

/** The images of the report, each with the names of its variants. */
const outputs = (...images: [string, ...string[]][]): string[][] =>
  nameOutputs(
    images.map(([image, ...files]) => ({ image, files: files.map((name) => ({ name })) })),
  ).outputs.map(({ image, files }) => [image, ...files]);

describe('nameOutputs', () => {
  it('keeps images with the same name in their folders', () => {
    expect(
      outputs(['a/x.jpg', 'x-1.webp', 'x-2.webp'], ['b/x.jpg', 'x-1.webp'], ['x.jpg', 'x-1.webp']),
    ).toEqual([
      ['a/x.jpg', 'a/x-1.webp', 'a/x-2.webp'],
      ['b/x.jpg', 'b/x-1.webp'],
      ['x.jpg', 'x-1.webp'],
    ]);
  });

  it('gives unique names to files that some file systems would treat as the same', () => {
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

  it('does not give a file the name of a folder', () => {
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
  it('skips numbers that are in use', () => {
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

  it('names the variants of 300 files with the same name without blocking the event loop', () => {
    const names = new UniqueNames();
    const added = new Set<string>();
    const spent = cpuTimeOf(() => {
      for (let i = 0; i < 300 * 20; i++) added.add(names.add('photo.webp'));
    });
    // Searching from 2 for each name would take more than 18 million lookups.
    expect(spent).toBeLessThan(1000);
    expect(added.size).toBe(6000);
  });
});
