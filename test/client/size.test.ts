import { brotliCompressSync } from 'node:zlib';
import { build, type OutputChunk, type RolldownOutput } from 'rolldown';
import { describe, expect, it } from 'vitest';

/** The budget, in bytes after Brotli compression. */
const BUDGET = 4450;

/** The size of an entry's code, bundled as for a page: what is loaded first, and what is loaded later. */
async function sizesOf(
  entry: string,
): Promise<{ first: number; later: number; code: string; imports: string[] }> {
  const output = (await build({
    input: entry,
    write: false,
    external: [/^[^./]/],
    output: { format: 'esm', minify: true },
  })) as RolldownOutput;
  const chunks = output.output as OutputChunk[];
  const first = new Set<OutputChunk>();
  const visit = (chunk: OutputChunk | undefined): void => {
    if (!chunk || first.has(chunk)) return;
    first.add(chunk);
    for (const name of chunk.imports) visit(chunks.find(({ fileName }) => fileName === name));
  };
  visit(chunks.find(({ isEntry }) => isEntry));
  const bytes = (some: OutputChunk[]): number =>
    some.reduce((sum, { code }) => sum + brotliCompressSync(code).length, 0);
  return {
    first: bytes([...first]),
    code: [...first].map(({ code }) => code).join('\n'),
    later: bytes(chunks.filter((chunk) => !first.has(chunk))),
    imports: chunks
      .flatMap(({ imports }) => imports)
      .filter((name) => !chunks.some(({ fileName }) => fileName === name)),
  };
}

describe('the build of the client', () => {
  it('fits the budget without dependencies: the page and its shared worker', async () => {
    const page = await sizesOf('dist/client/index.js');
    expect(page.imports).toEqual([]);
    expect(page.first).toBeLessThanOrEqual(BUDGET);
    // Loaded only without a shared worker.
    expect(page.later).toBeGreaterThan(0);
    expect(page.later).toBeLessThanOrEqual(BUDGET);
    const worker = await sizesOf('dist/client/shared-worker.js');
    expect(worker.imports).toEqual([]);
    expect(worker.first + worker.later).toBeLessThanOrEqual(BUDGET);
  });

  it('has translations only in what a page in that language loads', async () => {
    const { code } = await sizesOf('dist/client/element/index.js');
    expect(code).toContain('Progress');
    expect(code).not.toMatch(/Fortschritt|進捗/);
  });
});
