import { fileURLToPath } from 'node:url';
import type { Piscina } from 'piscina';
import type { Logger } from '../../../shared/process/log.js';
import { unpackError } from './errors.js';
import { Permit, Permits } from './permits.js';
import type { Leftover, ThreadSetup, ThreadTask } from './task.js';

/** A thread without work is kept for this long: it has its job files loaded. */
const IDLE_MS = 60_000;

const entry = fileURLToPath(new URL('./entry.js', import.meta.url));

export interface ThreadsOptions {
  /** How many jobs have a thread at a time, those that wait for their children apart. */
  max: number;
  setup: ThreadSetup;
  log: Logger;
}

/** The threads of a worker process. The first one is started for the first job that needs it. */
export interface Threads {
  /** A place for a task. @param stop ends the waiting for it */
  place(stop: AbortSignal): Permit;
  /**
   * Has a thread work on a task, when its place is free. The task's port goes with it.
   * @param end ends the thread
   * @throws Error when the thread came to its end first
   */
  run(task: ThreadTask, place: Permit, end: AbortSignal): Promise<void>;
  /** Ends all threads. */
  close(): Promise<void>;
}

export function createThreads({ max, setup, log }: ThreadsOptions): Threads {
  // Piscina has a queue too, but starts no thread for what waits there when one is ended by force.
  const slots = new Permits(max);
  let opened: Promise<Piscina> | undefined;

  async function open(): Promise<Piscina> {
    const { Piscina } = await import('piscina');
    const pool = new Piscina({
      minThreads: 0,
      // The places say how many work at a time; those that wait for their children are more.
      maxThreads: Number.MAX_SAFE_INTEGER,
      idleTimeout: IDLE_MS,
      workerData: setup,
      // With Atomics a thread would stand still between two jobs, with all that the first one left behind.
      atomics: 'disabled',
      recordTiming: false,
    });
    pool.on('error', (error) => log.warn({ err: error }, 'a thread without work came to its end'));
    pool.on('message', ({ jobId, error, message }: Leftover) => {
      log.warn({ err: unpackError(error), jobId }, message);
    });
    return pool;
  }

  return {
    place: (stop) => new Permit(slots, stop),
    async run(task, place, end) {
      try {
        await place.take();
        opened ??= open();
        const pool = await opened;
        await pool.run(task, { filename: entry, signal: end, transferList: [task.port] });
      } finally {
        place.end();
      }
    },
    async close() {
      await (await opened)?.destroy();
    },
  };
}
