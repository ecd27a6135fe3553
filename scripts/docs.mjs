// npm run docs: builds the documentation site in docs/.vitepress/dist. `npm run docs -- dev` serves it while it is
// edited, `npm run docs -- preview` serves what was built. The packages of the site are installed in docs/, so that
// nothing else has to install them.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './lib/command.mjs';
import { checkNode, ensurePackages } from './lib/packages.mjs';
import { Stop, tell } from './lib/say.mjs';

const docs = join(dirname(dirname(fileURLToPath(import.meta.url))), 'docs');
const [command = 'build', ...rest] = process.argv.slice(2);

await tell(async () => {
  checkNode();
  await ensurePackages(docs);
  const vitepress = join(docs, 'node_modules', 'vitepress', 'bin', 'vitepress.js');
  const code = await run(process.execPath, [vitepress, command, docs, ...rest], { cwd: docs });
  if (code === 0 && command === 'build') refuseOtherHosts(join(docs, '.vitepress', 'dist'));
  process.exit(code);
});

/** @throws Stop if a built page loads something from another host */
function refuseOtherHosts(dist) {
  for (const file of readdirSync(dist, { recursive: true }).filter((name) => name.endsWith('.html'))) {
    const html = readFileSync(join(dist, file), 'utf8');
    const [other] =
      html.match(/<(script|link|img|iframe|source)\b[^>]*\b(src|href)="(https?:)?\/\/[^>]*>/) ?? [];
    if (other) throw new Stop(`${file} loads something from another host: ${other}`);
  }
}
