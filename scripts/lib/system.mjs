import { existsSync } from 'node:fs';
import { capture, findProgram, run } from './command.mjs';
import { Stop, say } from './say.mjs';

let aptUpdated = false;

/**
 * Finds a Redis server, and installs one if there is none. Resolves to its path. `REDIS_SERVER` takes precedence over
 * the servers in the PATH.
 */
export async function ensureRedisServer() {
  const find = () => process.env.REDIS_SERVER || findProgram('redis-server', 'valkey-server');
  if (!find()) await install('a Redis server', { apt: 'redis-server', brew: 'redis' });
  const found = find();
  if (!found)
    throw new Stop('a Redis server was installed but cannot be found: look for redis-server in your PATH');
  return found;
}

/** Finds Chromium for the browser tests, and installs it if there is none. Resolves to its path. */
export async function ensureChromium() {
  const find = () =>
    process.env.CHROMIUM_PATH ||
    findProgram('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable');
  if (!find()) await install('Chromium', { apt: 'chromium', brew: 'chromium' });
  const found = find();
  if (!found) throw new Stop('Chromium was installed but cannot be found: set CHROMIUM_PATH');
  return found;
}

/**
 * Finds Chromium's headless shell, which needs less CPU in browser tests, and installs it with apt-get if there is none.
 * Resolves to its path, or to that of Chromium where there is no such package.
 */
export async function ensureHeadlessShell() {
  const name = 'chromium-headless-shell';
  const find = () => process.env.HEADLESS_SHELL_PATH || findProgram(name);
  const by = installer();
  if (!find() && by?.kind === 'apt') {
    await updateApt(by);
    const { code } = await capture('apt-cache', ['show', name]);
    if (code === 0) await install("Chromium's headless shell", { apt: name });
  }
  return find() || (await ensureChromium());
}

/** Finds curl, which the README's walk-through uses, and installs it if there is none. */
export async function ensureCurl() {
  if (!findProgram('curl')) await install('curl', { apt: 'curl', brew: 'curl' });
}

/**
 * Finds Celery for Debian's Python, which an example uses, and installs it with apt-get. Resolves to whether it is
 * installed: without it, the tests of that example are skipped.
 */
export async function ensureCelery() {
  const found = () => succeeds('/usr/bin/python3', ['-c', 'import celery, redis']);
  if (await found()) return true;
  if (installer()?.kind === 'apt') {
    await install('Celery', { apt: 'python3-celery python3-redis' });
    if (await found()) return true;
    throw new Stop('Celery was installed but /usr/bin/python3 cannot import it');
  }
  say('Celery is not installed and there is no apt-get: the tests of the Celery example are skipped.');
  return false;
}

/** Programs that the files in deploy/ are for, or that check them, with the Debian packages that have them. */
const DEPLOY_PROGRAMS = {
  'redis-server': 'redis-server',
  'redis-cli': 'redis-tools',
  nginx: 'nginx-light',
  caddy: 'caddy',
  haproxy: 'haproxy',
  prometheus: 'prometheus',
  promtool: 'prometheus',
  'systemd-analyze': 'systemd',
  'docker-compose': 'docker-compose',
  debootstrap: 'debootstrap',
  go: 'golang-go golang-github-masterminds-sprig-dev golang-github-ghodss-yaml-dev',
};

/** Programs that recipes of the documentation are for, with the Debian packages that have them. */
const RECIPE_PROGRAMS = {
  go: 'golang-go',
  rails: 'ruby-rails',
  puma: 'puma',
  bundle: 'bundler',
};

/** Modules of Debian's Python and libraries of Ruby that they are for: what loads them, and their packages. */
const RECIPE_LIBRARIES = [
  ['/usr/bin/python3', ['-c', 'import django, jwt, redis'], 'python3-django python3-jwt python3-redis'],
  ['/usr/bin/ruby', ['-e', 'require "jwt"'], 'ruby-jwt'],
];

/** Returns the names of the programs for the tests of deploy/ that are not installed. */
export const missingDeployPrograms = () => missingOf(DEPLOY_PROGRAMS);

/** Installs the programs for the tests of deploy/ where apt-get can be used. Elsewhere, the tests without a program are skipped. */
export const ensureDeployPrograms = () => ensurePrograms(DEPLOY_PROGRAMS);

/** The same for the tests of recipes. */
export async function ensureRecipePrograms() {
  await ensurePrograms(RECIPE_PROGRAMS);
  if (installer()?.kind !== 'apt') return;
  for (const [program, args, apt] of RECIPE_LIBRARIES) {
    if (!(await succeeds(program, args))) await install(apt, { apt });
  }
}

const succeeds = async (program, args) =>
  (await run(program, args, { stdio: 'ignore' }).catch(() => 1)) === 0;

const missingOf = (programs) =>
  Object.keys(programs).filter((name) => !findProgram(name) && !existsSync(`/usr/sbin/${name}`));

async function ensurePrograms(programs) {
  const missing = missingOf(programs);
  if (missing.length === 0 || installer()?.kind !== 'apt') return;
  const packages = [...new Set(missing.map((name) => programs[name]))];
  await install(missing.join(', '), { apt: packages.join(' ') });
}

async function install(what, { apt, brew }) {
  const by = installer();
  if (!by) {
    throw new Stop(
      `${what} is needed and cannot be installed from here. Type: sudo apt-get install ${apt} (Debian, Ubuntu), or brew install ${brew} (Mac)${
        apt === 'redis-server' ? '; or set REDIS_URL to a running server' : ''
      }`,
    );
  }
  say(`Installing ${what}…`);
  if (by.kind === 'brew') {
    if ((await run('brew', ['install', brew])) !== 0)
      throw new Stop(`brew install ${brew} failed; its output is above`);
    return;
  }
  await updateApt(by);
  if ((await aptGet(by, 'install', '--no-install-recommends', ...apt.split(' '))) !== 0) {
    throw new Stop(`apt-get install ${apt} failed; its output is above`);
  }
}

/** Fetches the lists of packages, once. */
async function updateApt(by) {
  if (!aptUpdated) await aptGet(by, 'update');
  aptUpdated = true;
}

const aptGet = (by, ...args) =>
  run(by.program, [...by.args, '-q', '-y', ...args], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });

function installer() {
  const aptGet = findProgram('apt-get');
  if (aptGet && process.getuid?.() === 0) return { kind: 'apt', program: aptGet, args: [] };
  const sudo = findProgram('sudo');
  if (aptGet && sudo) return { kind: 'apt', program: sudo, args: ['-n', aptGet] };
  if (process.platform === 'darwin' && findProgram('brew')) return { kind: 'brew' };
  return undefined;
}
