import { type ChildProcess, fork } from 'node:child_process';
import cluster from 'node:cluster';

/**
 * Starts this program again, with other arguments. Its listeners are opened here and shared with the other processes that were
 * started this way: each new connection is handed to one of them in turn.
 */
export function forkSharingPorts(args: string[]): ChildProcess {
  cluster.setupPrimary({ args });
  const worker = cluster.fork();
  // The process emits the same errors.
  worker.on('error', () => {});
  return worker.process;
}

/** Starts this program again, with other arguments. Ports that it opens, such as those of a job, are its own. */
export const forkAlone = (args: string[]): ChildProcess => fork(process.argv[1] as string, args);
