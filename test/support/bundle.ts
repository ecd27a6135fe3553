import { rolldown } from 'rolldown';

/** Code of a page with its framework, in one file. It imports as a file of `test/browser` would. */
export async function multiplexed(name: string, code: string): Promise<string> {
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
