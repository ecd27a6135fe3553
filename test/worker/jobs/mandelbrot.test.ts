import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { validate } from '../../../src/shared/jobs/schema.js';
import definition from '../../../src/worker/jobs/mandelbrot.js';
import { runJob } from '../../support/run-job.js';

// biome-ignore lint/suspicious/noExplicitAny: the type of the input depends on the schema
const job = definition as any;

async function draw(data: Record<string, unknown>) {
  const input = await validate(definition.input, data);
  const run = await runJob(job, (input as { value: Record<string, unknown> }).value);
  const png = run.content(run.result.image.id);
  const { data: pixels, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
  const pixel = (x: number, y: number): number[] => {
    const at = (y * info.width + x) * info.channels;
    return [...pixels.subarray(at, at + 3)];
  };
  return { ...run, info, pixel, pixels };
}

describe('mandelbrot', () => {
  it('draws the set in black and other points in colour', async () => {
    const { result, info, pixel } = await draw({ width: 150, height: 100, iterations: 200 });
    expect(result).toMatchObject({
      width: 150,
      height: 100,
      iterations: 200,
      image: { name: 'mandelbrot.png', href: expect.stringContaining('/result?file=') },
    });
    expect(info).toMatchObject({ format: 'raw', width: 150, height: 100, channels: 3 });
    const at = (real: number, imaginary: number): number[] =>
      pixel(Math.floor(((real + 2) / 3) * 150), Math.floor(((1 - imaginary) / 2) * 100));
    for (const [re, im] of [
      [0, 0],
      [-1, 0],
      [-0.12, 0.74],
      [-1.3, 0.02],
    ] as const)
      expect([re, im, ...at(re, im)]).toEqual([re, im, 0, 0, 0]);
    for (const [re, im] of [
      [0.5, 0.5],
      [-1.9, 0.9],
      [0.3, 0.9],
    ] as const)
      expect(at(re, im)).not.toEqual([0, 0, 0]);
  });

  it('publishes each tile when it is done; together they form the image', async () => {
    const { partials, seen, pixels } = await draw({ width: 100, height: 70, tile: 32, iterations: 60 });
    const tiles = partials as Array<{ x: number; y: number; width: number; height: number; png: string }>;
    expect(tiles).toHaveLength(12);
    expect(tiles.at(-1)).toMatchObject({ x: 96, y: 64, width: 4, height: 6, of: { width: 100, height: 70 } });
    const put = tiles.map(({ x, y, png }) => ({ input: Buffer.from(png, 'base64'), left: x, top: y }));
    const together = sharp({ create: { width: 100, height: 70, channels: 3, background: 'red' } });
    expect((await together.composite(put).removeAlpha().raw().toBuffer()).equals(pixels)).toBe(true);
    expect(seen[0]).toMatchObject({ percent: 0, total: 12, unit: 'tiles' });
    expect(seen.at(-1)).toMatchObject({ percent: 100, current: 12 });
  });

  it('scales down the tiles of a large image so that they fit into the partial result', async () => {
    const { partials, info } = await draw({ width: 2000, height: 1600, tile: 96, iterations: 20 });
    expect(info).toMatchObject({ width: 2000, height: 1600 });
    const first = partials[0] as { png: string; width: number };
    expect(first.width).toBe(96);
    expect((await sharp(Buffer.from(first.png, 'base64')).metadata()).width).toBe(38);
  });

  it('keeps tiles within the size of a frame, and stops between two tiles', async () => {
    const errors = async (data: unknown) => (await validate(definition.input, data)).errors;
    expect(await errors({ width: 4096, height: 4096, tile: 16 })).toEqual([
      { pointer: '/tile', detail: 'the image would have more than 4096 tiles' },
    ]);
    expect(await errors({ width: 4096, height: 4096 })).toBeUndefined();
    const stop = new AbortController();
    const run = runJob(job, await defaults(), { signal: stop.signal });
    stop.abort(new Error('stopped'));
    await expect(run).rejects.toThrow('stopped');
  });
});

async function defaults(): Promise<Record<string, unknown>> {
  return (
    (await validate(definition.input, { width: 64, height: 64, tile: 16 })) as {
      value: Record<string, unknown>;
    }
  ).value;
}
