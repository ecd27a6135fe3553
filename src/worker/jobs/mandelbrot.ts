import { writeFile } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { z } from 'zod';
import { resultFile } from '../../shared/files/reference.js';
import { defineJob } from '../../shared/jobs/definition.js';
import { encodePng, previewScale } from './lib/mandelbrot/png.js';
import { colour, escapeTime } from './lib/mandelbrot/point.js';
import { type Tile, tilesOf } from './lib/mandelbrot/tiles.js';

const MAX_TILES = 4096;
const size = () => z.number().int().min(16).max(4096);

const input = z
  .strictObject({
    width: size().default(800).describe('Pixels'),
    height: size().default(600).describe('Pixels'),
    centerX: z.number().min(-4).max(4).default(-0.5),
    centerY: z.number().min(-4).max(4).default(0),
    scale: z.number().positive().max(100).default(3).describe('Width of the visible area'),
    iterations: z.number().int().min(1).max(1_000_000).default(500).describe('Maximum iterations per point'),
    tile: z.number().int().min(16).max(96).default(64).describe('Side length of a tile in pixels'),
  })
  .refine(({ width, height, tile }) => tilesOf(width, height, tile).length <= MAX_TILES, {
    path: ['tile'],
    error: `the image would have more than ${MAX_TILES} tiles`,
  });

/** Pictures that need at most a number of iterations, if every point needs the maximum. */
const within = (total: number) =>
  input
    .refine(({ width, height, iterations }) => width * height * iterations <= total, {
      path: ['iterations'],
      error: `width × height × iterations must be at most ${total.toExponential()}`,
    })
    .describe(`\`width\` × \`height\` × \`iterations\` is at most ${total.toExponential()}`);

export default defineJob({
  name: 'mandelbrot',
  description: 'Draws the Mandelbrot set tile by tile, in a separate thread.',
  input,
  limits: { anonymous: within(1e11), signedIn: within(2e12) },
  result: z.object({
    width: z.number().int(),
    height: z.number().int(),
    iterations: z.number().int(),
    image: resultFile,
  }),
  thread: true,
  // The largest picture needs 50 MiB, and again as much while it is compressed.
  memoryMb: 512,
  defaults: { timeoutMs: 3_600_000 },
  async run(data, ctx) {
    const { width, height, centerX, centerY, scale, iterations } = data;
    const pixels = Buffer.alloc(width * height * 3);
    const step = scale / width;
    const draw = (tile: Tile): void => {
      for (let y = tile.y; y < tile.y + tile.height; y++) {
        const imaginary = centerY + (height / 2 - y - 0.5) * step;
        for (let x = tile.x; x < tile.x + tile.width; x++) {
          const real = centerX + (x + 0.5 - width / 2) * step;
          colour(escapeTime(real, imaginary, iterations), pixels, (y * width + x) * 3);
        }
      }
    };

    const image = { pixels, width, height };
    const preview = previewScale(image);
    const tiles = tilesOf(width, height, data.tile);
    ctx.progress({ current: 0, total: tiles.length, unit: 'tiles' });
    for (const [i, tile] of tiles.entries()) {
      draw(tile);
      const png = await encodePng(image, tile, preview);
      await ctx.partial({ ...tile, png: png.toString('base64'), of: { width, height } });
      ctx.progress({ current: i + 1, total: tiles.length, unit: 'tiles' });
      // The message that aborts the signal is handled in the next turn of the event loop.
      await nextTurn();
      ctx.signal.throwIfAborted();
    }
    const file = await ctx.files.create('mandelbrot.png', async (path) => {
      await writeFile(path, await encodePng(image, { x: 0, y: 0, width, height }));
    });
    return { width, height, iterations, image: file };
  },
});
