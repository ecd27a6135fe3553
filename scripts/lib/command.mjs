import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The signals that ask a process to end. */
export const ENDING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** The path of a program, or undefined. */
export function findProgram(...names) {
  for (const name of names) {
    for (const dir of (process.env.PATH ?? '').split(delimiter)) {
      const path = join(dir, name);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // not here
      }
    }
  }
  return undefined;
}

/**
 * Runs a program to its end with our own output. Resolves to its exit code. A signal that asks us to end goes to the
 * program first.
 */
export const run = (program, args, options = {}) =>
  ended(spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'], ...options }));

/** As {@link run}; resolves to the exit code, and to the standard output and error in one text. */
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
 * Passes the signals that ask us to end on to a child.
 * @returns the function that ends this
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
