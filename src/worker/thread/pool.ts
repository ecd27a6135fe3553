import { fileURLToPath } from 'node:url';
import type { Piscina } from 'piscina';
import type { Logger } from '../../shared/log.js';
import { Slots } from './slots.js';
import type { ThreadSetup, ThreadTask } from './task.js';

/** A thread without work is kept for this long: it has its job files loaded. */
const IDLE_MS = 60_000;

const entry = fileURLToPath(new URL('./entry.js', import.meta.url));

export interface ThreadsOptions {
  /** How many threads there are at most. */
  max: number;
  setup: ThreadSetup;
  log: Logger;
}

/** The threads of a worker process. The first one is started for the first job that needs it. */
export interface Threads {
  /**
   * Has a thread work on a task, when one is free. The task's port goes with it.
   * @param signals `stop` ends the waiting for a thread; `end` ends the thread
   * @throws Error when the thread came to its end first
   */
  run(task: ThreadTask, signals: { stop: AbortSignal; end: AbortSignal }): Promise<void>;
  /** Ends all threads. */
  close(): Promise<void>;
}

export function createThreads({ max, setup, log }: ThreadsOptions): Threads {
  // Piscina has a queue too, but starts no thread for what waits there when one is ended by force.
  const slots = new Slots(max);
  let opened: Promise<Piscina> | undefined;

  async function open(): Promise<Piscina> {
    const { Piscina } = await import('piscina');
    const pool = new Piscina({
      minThreads: 0,
      maxThreads: max,
      idleTimeout: IDLE_MS,
      workerData: setup,
      // With Atomics a thread would stand still between two jobs, with all that the first one left behind.
      atomics: 'disabled',
      recordTiming: false,
    });
    pool.on('error', (error) => log.warn({ err: error }, 'a thread without work came to its end'));
    return pool;
  }

  return {
    async run(task, { stop, end }) {
      await slots.take(stop);
      try {
        opened ??= open();
        const pool = await opened;
        await pool.run(task, { filename: entry, signal: end, transferList: [task.port] });
      } finally {
        slots.giveBack();
      }
    },
    async close() {
      await (await opened)?.destroy();
    },
  };
}
