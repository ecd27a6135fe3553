import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './command.mjs';
import { Stop, say } from './say.mjs';

const MIN_NODE = [20, 19];

/** Checks the version of Node. @throws Stop if it is too old */
export function checkNode(version = process.versions.node) {
  const [major, minor] = version.split('.').map(Number);
  if (major < MIN_NODE[0] || (major === MIN_NODE[0] && minor < MIN_NODE[1])) {
    throw new Stop(`Node ${version} is too old: Headway needs Node ${MIN_NODE.join('.')} or newer`);
  }
}

/** Whether the installed packages differ from the lock file. */
export function packagesStale(root) {
  const stamp = join(root, 'node_modules', '.headway-lock');
  return !existsSync(stamp) || readFileSync(stamp, 'utf8') !== lockDigest(root);
}

/** Installs the packages if they are missing or stale. */
export async function ensurePackages(root) {
  if (!packagesStale(root)) return;
  say('Installing packages…');
  const code = await run('npm', ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
  });
  if (code !== 0) throw new Stop('npm ci failed; its output is above');
  writeFileSync(join(root, 'node_modules', '.headway-lock'), lockDigest(root));
}

const lockDigest = (root) =>
  createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
