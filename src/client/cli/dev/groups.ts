import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

/** How long the output of a program that has ended is waited for, in ms. */
const OUTPUT_MS = 500;

export interface ProgramOptions {
  args: string[];
  env?: NodeJS.ProcessEnv;
  /** Called with the messages of the program, which is Node. */
  onMessage?(message: unknown): void;
  /** Called with each line of its output. */
  onLine(line: string): void;
  /** Called once, when the program has ended and its output has been read. */
  onEnd(how: string, code: number): void;
}

/** A program, and the processes that it starts. */
export interface ProcessGroup {
  /** Asks the program to exit, and kills the group if it has not after `graceMs`. Resolves when it has ended. */
  stop(graceMs: number): Promise<void>;
}

/** The programs that were started. */
export interface ProcessGroups {
  start(program: string, options: ProgramOptions): ProcessGroup;
  /** Kills all of them, and the processes that they have started. */
  kill(): void;
  /** Kills what is left. */
  close(): void;
}

/**
 * Starts programs in process groups of their own, so that the terminal's Ctrl-C reaches only this process, which then stops
 * them in order. A guard ends them if this process is killed.
 */
export function openGroups(): ProcessGroups {
  const guard = spawn(process.execPath, [fileURLToPath(new URL('./guard.js', import.meta.url))], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    detached: true,
  });
  guard.on('error', () => {});
  const running = new Set<number>();
  const kill = (): void => {
    for (const group of running) killGroup(group);
  };
  return {
    start(program, options) {
      const group = startGroup(program, options);
      const { pid } = group.child;
      if (pid !== undefined) {
        running.add(pid);
        if (guard.connected) guard.send({ started: pid });
        group.child.once('exit', () => {
          running.delete(pid);
          if (guard.connected) guard.send({ ended: pid });
        });
      }
      return group;
    },
    kill,
    close() {
      kill();
      if (guard.connected) guard.disconnect();
    },
  };
}

function startGroup(program: string, options: ProgramOptions): ProcessGroup & { child: ChildProcess } {
  const { args, env = process.env, onMessage, onLine, onEnd } = options;
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe', ...(onMessage ? ['ipc' as const] : [])],
    detached: true,
    env,
  });
  for (const stream of [child.stdout, child.stderr] as Readable[]) {
    createInterface({ input: stream }).on('line', onLine);
  }
  if (onMessage) child.on('message', onMessage);
  let hasEnded = false;
  const ended = new Promise<void>((resolve) => {
    const end = (how: string, code: number): void => {
      if (hasEnded) return;
      hasEnded = true;
      onEnd(how, code);
      resolve();
    };
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (child.pid !== undefined) return;
      end(error.code === 'ENOENT' ? `${program} was not found` : `cannot be started: ${error.message}`, 1);
    });
    child.once('exit', (code, signal) => {
      const how = signal ? `ended by ${signal}` : `ended with exit code ${code}`;
      const finish = (): void => end(how, code ?? 1);
      // What the program has started must not outlive it.
      killGroup(child.pid);
      // Its last lines are read first, unless a process of another group keeps its output open.
      child.once('close', finish);
      setTimeout(finish, OUTPUT_MS);
    });
  });
  return {
    child,
    async stop(graceMs) {
      if (hasEnded) return;
      child.kill('SIGTERM');
      const timer = setTimeout(killGroup, graceMs, child.pid);
      await ended;
      clearTimeout(timer);
    },
  };
}

function killGroup(group: number | undefined): void {
  try {
    if (group !== undefined) process.kill(-group, 'SIGKILL');
  } catch {
    // No process of the group is left.
  }
}
