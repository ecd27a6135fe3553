import { rolldown } from 'rolldown';

/** Bundles the code of a page with its framework into one file. Imports resolve as in `test/browser`. */
export async function bundle(name: string, code: string): Promise<string> {
  const build = await rolldown({
    input: name,
    platform: 'browser',
    transform: { define: { 'process.env.NODE_ENV': '"production"' } },
    plugins: [
      {
        name: 'code',
        resolveId: (id: string) => (id === name ? `${process.cwd()}/test/browser/${name}` : null),
        load: (id: string) => (id.endsWith(name) ? code : null),
      },
    ],
  });
  const { output } = await build.generate({ format: 'esm', codeSplitting: false });
  return output[0].code;
}
