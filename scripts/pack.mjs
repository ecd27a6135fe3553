// npm run pack: packs the npm packages of this repository into dist/packages. Build first.
import { execFileSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FOLDERS, nameOf, stagePackages } from './lib/npm-packages.mjs';
import { stageStarter } from './lib/starter.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = join(root, 'dist', 'packages');

rmSync(folder, { recursive: true, force: true });
stagePackages(folder);
stageStarter(folder);
execFileSync('npm', ['pack', '--silent', ...[...FOLDERS, 'create'].map((each) => `./${nameOf(each)}`)], {
  cwd: folder,
  stdio: ['ignore', 'ignore', 'inherit'],
});
for (const name of readdirSync(folder)) if (name.endsWith('.tgz')) console.log(`dist/packages/${name}`);
