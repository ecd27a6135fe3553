import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The signals that ask a process to exit. */
export const ENDING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** Returns the path of the first of these programs that is in the PATH, or undefined. */
export function findProgram(...names) {
  for (const name of names) {
    for (const dir of (process.env.PATH ?? '').split(delimiter)) {
      const path = join(dir, name);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // Not in this folder.
      }
    }
  }
  return undefined;
}

/**
 * Runs a program with our standard output. Resolves to the exit code. Signals that ask this process to exit are sent to
 * the program first.
 */
export const run = (program, args, options = {}) =>
  ended(spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'], ...options }));

/** Like {@link run}, but resolves to the exit code and to the standard output and error as one text. */
export async function capture(program, args, options = {}) {
  const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
  }
  const code = await ended(child);
  return { code, output };
}

function ended(child) {
  return new Promise((resolve, reject) => {
    let received;
    const stopForwarding = forwardSignals(child, (signal) => {
      received = signal;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      stopForwarding();
      if (received) process.kill(process.pid, received);
      else resolve(code ?? (signal ? 1 : 0));
    });
  });
}

/**
 * Forwards to a child the signals that ask this process to exit.
 * @returns a function that stops forwarding
 */
export function forwardSignals(child, received = () => {}) {
  const forward = (signal) => {
    received(signal);
    child.kill(signal);
  };
  for (const signal of ENDING_SIGNALS) process.on(signal, forward);
  return () => {
    for (const signal of ENDING_SIGNALS) process.off(signal, forward);
  };
}
