import { chownSync, cpSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { shellIn, userOf } from './chroot.js';

export interface Step {
  instruction: string;
  /** The text after the instruction, with arguments (`${NAME}`) replaced. */
  text: string;
}

/** What the last stage says about how its containers run. */
export interface ImageConfig {
  env: Record<string, string>;
  entrypoint: string[];
  cmd: string[];
  healthcheck: string[];
  user: string;
  workdir: string;
}

/** Returns the steps of a Dockerfile. Comments are removed and continued lines joined, as Docker does. */
export function dockerfileSteps(text: string): Step[] {
  const args = new Map<string, string>();
  return text
    .replace(/^\s*#.*\n/gm, '')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, instruction, rest] = /^([A-Z]+)\s+(.*)$/.exec(line.trim())!;
      const text = rest!.replace(/\$\{(\w+)\}/g, (whole, name: string) => args.get(name) ?? whole);
      if (instruction === 'ARG') args.set(...(text.split('=') as [string, string]));
      return { instruction: instruction!, text };
    });
}

export interface BuildOptions {
  dockerfile: string;
  /** The folder that `docker build` would send to the daemon. */
  context: string;
  /** Returns the folder that stands for a base image: a root file system of its own. */
  base(image: string): string;
  /** Files that only this machine's network needs during the build. */
  env: Record<string, string>;
}

/** Runs the steps of a Dockerfile one by one, each in the folder of its stage. Returns the last stage's folder. */
export function buildStages({ dockerfile, context, base, env }: BuildOptions): {
  root: string;
  config: ImageConfig;
} {
  const stages = new Map<string, string>();
  const ignored = ignoreRules(readFileSync(join(context, '.dockerignore'), 'utf8'));
  let root = '';
  let config = emptyConfig();
  for (const { instruction, text } of dockerfileSteps(dockerfile)) {
    if (instruction === 'FROM') {
      const [, image, name] = /^(\S+)(?: AS (\S+))?$/.exec(text)!;
      const parent = stages.get(image!);
      // A stage that another one builds on is not used by itself again, so both can share a folder.
      root = parent ?? base(image!);
      if (!parent) config = emptyConfig();
      if (name) stages.set(name, root);
    } else if (instruction === 'RUN') {
      shellIn(root, `cd ${config.workdir} && ${text}`, { ...config.env, ...env });
    } else if (instruction === 'COPY') {
      copy(text, root, config.workdir, { context, stages, ignored });
    } else if (instruction === 'WORKDIR') {
      config.workdir = text;
      mkdirSync(join(root, text), { recursive: true });
    } else if (instruction === 'ENV') {
      for (const [, name, value] of text.matchAll(/(\w+)=(\S+)/g)) config.env[name!] = value!;
    } else if (instruction === 'USER') config.user = text;
    else if (instruction === 'ENTRYPOINT') config.entrypoint = JSON.parse(text) as string[];
    else if (instruction === 'CMD') config.cmd = JSON.parse(text) as string[];
    else if (instruction === 'HEALTHCHECK') {
      config.healthcheck = JSON.parse(text.slice(text.indexOf('CMD') + 3)) as string[];
    } else if (!['ARG', 'LABEL', 'VOLUME', 'EXPOSE', 'STOPSIGNAL'].includes(instruction)) {
      throw new Error(`the Dockerfile has a step that this test cannot run: ${instruction} ${text}`);
    }
  }
  return { root, config };
}

const emptyConfig = (): ImageConfig => ({
  env: {},
  entrypoint: [],
  cmd: [],
  healthcheck: [],
  user: 'root',
  workdir: '/',
});

interface Sources {
  context: string;
  stages: Map<string, string>;
  ignored: (path: string) => boolean;
}

function copy(text: string, root: string, workdir: string, { context, stages, ignored }: Sources): void {
  const words = text.split(/\s+/);
  const flags = words.filter((word) => word.startsWith('--'));
  const paths = words.filter((word) => !word.startsWith('--'));
  const destination = paths.pop()!;
  const stage = flags.find((flag) => flag.startsWith('--from='))?.slice('--from='.length);
  const from = stage === undefined ? context : stages.get(stage)!;
  for (const path of paths) {
    if (stage === undefined && ignored(path)) throw new Error(`.dockerignore excludes ${path}`);
    const source = join(from, path);
    const target = join(
      root,
      destination.startsWith('/') ? '' : workdir,
      destination,
      destination.endsWith('/') && !lstatSync(source).isDirectory() ? basename(path) : '',
    );
    cpSync(source, target, { recursive: true, verbatimSymlinks: true });
    const owner = flags.find((flag) => flag.startsWith('--chown='))?.slice('--chown='.length);
    if (!owner) continue;
    const { uid, gid } = userOf(root, owner.split(':')[0]!);
    for (const inside of ['', ...readdirSync(target, { recursive: true, encoding: 'utf8' })]) {
      chownSync(join(target, inside), uid, gid);
    }
  }
}

/** Our `.dockerignore` excludes everything and then names what is included. */
function ignoreRules(text: string): (path: string) => boolean {
  const rules = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  if (rules[0] !== '*' || rules.slice(1).some((rule) => !rule.startsWith('!'))) {
    throw new Error('.dockerignore must exclude everything first and then only include');
  }
  const included = rules.slice(1).map((rule) => rule.slice(1));
  return (path) => !included.some((rule) => path === rule || path.startsWith(`${rule}/`));
}

/** Returns the size of a folder in bytes: the sum of its files, each once, as a layer of an image counts them. */
export function sizeOf(folder: string): number {
  if (!existsSync(folder)) return 0;
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + lstatSync(join(entry.parentPath, entry.name)).size, 0);
}
