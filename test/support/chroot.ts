import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A view of the file systems and process ids of its own. The kernel unmounts and ends everything with the first process. */
const NAMESPACES = ['--mount', '--pid', '--fork'];
const DEVICES = 'mount -t proc proc "$1/proc"; mount --rbind /dev "$1/dev";';

/** Runs a shell command as root in another root file system, as `RUN` does. @throws with its output if it fails */
export function shellIn(root: string, command: string, env: Record<string, string>): void {
  makeMountPoints(root);
  const script = `${DEVICES} exec chroot "$1" sh -ec "$2"`;
  execFileSync('unshare', [...NAMESPACES, 'sh', '-ec', script, 'sh', root, command], {
    env: { PATH: process.env.PATH, HOME: '/root', ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
    maxBuffer: 64 * 1024 * 1024,
  });
}

export interface Container {
  root: string;
  /** A name of the root's /etc/passwd. */
  user: string;
  workdir: string;
  env: Record<string, string>;
  /** Folders of the root file system that can be written to. All others are read-only. */
  writable: string[];
}

/**
 * Starts a program as process 1 of a container: read-only root, no supplementary groups, no new privileges. It uses the
 * machine's network, so that it reaches a Redis of the test.
 */
export function startIn({ root, user, workdir, env, writable }: Container, command: string[]): ChildProcess {
  makeMountPoints(root);
  const { uid, gid } = userOf(root, user);
  const mounts = [
    'mount --bind "$1" "$1";',
    DEVICES,
    ...writable.map((folder) => `mount --bind "$1${folder}" "$1${folder}";`),
    'mount -o remount,bind,ro "$1";',
  ].join(' ');
  const enter = `exec setpriv --no-new-privs --clear-groups unshare --root="$1" --wd="${workdir}" --setgid=${gid} --setuid=${uid}`;
  const script = `${mounts} ${enter} "\${@:2}"`;
  return spawn('unshare', [...NAMESPACES, 'bash', '-ec', script, 'bash', root, ...command], {
    env: { ...env, PATH: process.env.PATH },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Returns the id, on this machine, of the process that is process 1 of a container. */
export function firstProcess({ pid }: ChildProcess): number | undefined {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return children === '' ? undefined : Number(children);
}

/** Kills a container: the kernel kills all its processes with the first. The signal that unshare sends is lost with the user. */
export function killContainer(container: ChildProcess): void {
  if (container.exitCode !== null || container.signalCode !== null) return;
  const first = firstProcess(container);
  if (first !== undefined) process.kill(first, 'SIGKILL');
}

/** Runs a program in a running container, as `docker exec` does. Resolves to its exit code. */
export async function runInside(
  container: ChildProcess,
  env: Record<string, string>,
  command: string[],
): Promise<number> {
  const target = String(firstProcess(container));
  const args = ['--target', target, '--mount', '--pid', '--root', '--wd', ...command];
  const [code] = await once(spawn('nsenter', args, { env, stdio: 'ignore' }), 'exit');
  return code as number;
}

/** Returns the ids of a user of another root file system. */
export function userOf(root: string, name: string): { uid: number; gid: number } {
  const line = readFileSync(join(root, 'etc/passwd'), 'utf8')
    .split('\n')
    .find((text) => text.startsWith(`${name}:`));
  if (line === undefined) throw new Error(`${root}/etc/passwd has no user ${name}`);
  const [, , uid, gid] = line.split(':');
  return { uid: Number(uid), gid: Number(gid) };
}

function makeMountPoints(root: string): void {
  for (const folder of ['proc', 'dev']) mkdirSync(join(root, folder), { recursive: true });
}
