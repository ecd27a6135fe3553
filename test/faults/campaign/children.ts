import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

const running = new Set<ChildProcess>();
process.on('exit', killAll);

/** All processes of a campaign, so that none outlives it. */
export function adopt(child: ChildProcess): void {
  running.add(child);
  child.once('exit', () => running.delete(child));
}

/** Kills all running processes, including frozen ones. */
export function killAll(): void {
  for (const child of running) child.kill('SIGKILL');
}

export const isRunning = (child: ChildProcess): boolean =>
  child.exitCode === null && child.signalCode === null;

/**
 * Sends a signal that ends the process, and waits for its exit. A process that does not exit in time is killed.
 * @returns whether it exited in time
 */
export async function end(
  child: ChildProcess,
  signal: NodeJS.Signals,
  patienceMs = 15_000,
): Promise<boolean> {
  if (!isRunning(child)) return true;
  let obeyed = true;
  const exited = once(child, 'exit');
  child.kill(signal);
  const timer = setTimeout(() => {
    obeyed = false;
    child.kill('SIGKILL');
  }, patienceMs);
  await exited;
  clearTimeout(timer);
  return obeyed;
}
