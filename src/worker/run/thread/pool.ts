import { fileURLToPath } from 'node:url';
import type { Piscina } from 'piscina';
import type { Logger } from '../../../shared/process/log.js';
import { unpackError } from './errors.js';
import { Permit, Permits } from './permits.js';
import type { Leftover, ThreadSetup, ThreadTask } from './task.js';

/** How long an idle thread is kept. It has job files loaded already. */
const IDLE_MS = 60_000;

const entry = fileURLToPath(new URL('./entry.js', import.meta.url));

export interface ThreadsOptions {
  /** Maximum number of jobs that run at a time. Jobs that wait for their children do not count. */
  max: number;
  setup: ThreadSetup;
  log: Logger;
}

/** The threads of a worker process. The first one is started for the first job that needs it. */
export interface Threads {
  /** Creates the permit for a task. @param stop ends the wait for the permit */
  permit(stop: AbortSignal): Permit;
  /**
   * Runs a task in a thread once the permit is granted. The port of the task moves to the thread.
   * @param end terminates the thread
   * @throws Error if the thread ended before the task
   */
  run(task: ThreadTask, permit: Permit, end: AbortSignal): Promise<void>;
  /** Ends all threads. */
  close(): Promise<void>;
}

export function createThreads({ max, setup, log }: ThreadsOptions): Threads {
  // Piscina has its own queue, but starts no thread for waiting tasks after it has terminated one.
  const permits = new Permits(max);
  let opened: Promise<Piscina> | undefined;

  async function open(): Promise<Piscina> {
    const { Piscina } = await import('piscina');
    const pool = new Piscina({
      minThreads: 0,
      // Permits limit the running jobs; jobs that wait for their children keep their threads.
      maxThreads: Number.MAX_SAFE_INTEGER,
      idleTimeout: IDLE_MS,
      workerData: setup,
      // With Atomics the thread would block between two jobs, with timers and promises of the first one pending.
      atomics: 'disabled',
      recordTiming: false,
    });
    pool.on('error', (error) => log.warn({ err: error }, 'an idle thread ended unexpectedly'));
    pool.on('message', ({ jobId, error, message }: Leftover) => {
      log.warn({ err: unpackError(error), jobId }, message);
    });
    return pool;
  }

  return {
    permit: (stop) => new Permit(permits, stop),
    async run(task, permit, end) {
      try {
        await permit.acquire();
        opened ??= open();
        const pool = await opened;
        await pool.run(task, { filename: entry, signal: end, transferList: [task.port] });
      } finally {
        permit.end();
      }
    },
    async close() {
      await (await opened)?.destroy();
    },
  };
}
