import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './command.mjs';
import { Stop, say } from './say.mjs';
import { ensureRecipePrograms } from './system.mjs';

/**
 * Installs what the tests of recipes need: programs, and the npm packages of each `test/recipes/<name>/package.json`. These
 * are hundreds of MB that a developer of Headway seldom needs, so they are not among its own packages. Resolves to the
 * folder that has a folder with `node_modules` for each name.
 */
export async function ensureRecipes(root) {
  await ensureRecipePrograms();
  const to = join(root, 'node_modules', '.cache', 'headway', 'recipes');
  const from = join(root, 'test', 'recipes');
  for (const name of readdirSync(from)) {
    const manifest = join(from, name, 'package.json');
    if (existsSync(manifest)) await ensureProject(name, manifest, join(to, name));
  }
  return to;
}

async function ensureProject(name, manifest, folder) {
  const stamp = join(folder, '.installed');
  const digest = createHash('sha256').update(readFileSync(manifest)).digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return;
  say(`Installing the packages of the recipe ${name}…`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  cpSync(manifest, join(folder, 'package.json'));
  const code = await run('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: folder });
  if (code !== 0) throw new Stop(`npm install of the recipe ${name} failed; its output is above`);
  writeFileSync(stamp, digest);
}
