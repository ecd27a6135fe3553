import { fileURLToPath } from 'node:url';
import type { Worker } from 'node:worker_threads';
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
  /** Returns the size of a thread's buffers in bytes, even while it computes; `undefined` before Node 22.16. */
  buffersOf(threadId: number): Promise<number | undefined>;
  /** Ends all threads. */
  close(): Promise<void>;
}

/** A thread whose memory can be read from outside (Node 22.16). */
type Observable = Partial<Pick<Worker, 'threadId'>> & {
  getHeapStatistics?(): Promise<{ external_memory: number }>;
};

export function createThreads({ max, setup, log }: ThreadsOptions): Threads {
  // Piscina has its own queue, but starts no thread for waiting tasks after it has terminated one.
  const permits = new Permits(max);
  /** By the memory that their threads may use, which is fixed when a thread starts. */
  const pools = new Map<number, Promise<Piscina>>();

  async function open(memoryMb: number): Promise<Piscina> {
    const { Piscina } = await import('piscina');
    const pool = new Piscina({
      minThreads: 0,
      // Permits limit the running jobs; jobs that wait for their children keep their threads.
      maxThreads: Number.MAX_SAFE_INTEGER,
      idleTimeout: IDLE_MS,
      workerData: setup,
      // Beyond that, Node ends the thread and not the process. It does not count buffers: see `MemoryWatch`.
      resourceLimits: { maxOldGenerationSizeMb: memoryMb },
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
        const opened = pools.get(task.memoryMb) ?? open(task.memoryMb);
        pools.set(task.memoryMb, opened);
        const pool = await opened;
        await pool.run(task, { filename: entry, signal: end, transferList: [task.port] });
      } finally {
        permit.end();
      }
    },
    async buffersOf(threadId) {
      const threads = (await Promise.all(pools.values())).flatMap((pool) => pool.threads);
      const thread: Observable | undefined = threads.find((each) => each.threadId === threadId);
      return (await thread?.getHeapStatistics?.())?.external_memory;
    },
    async close() {
      await Promise.all([...pools.values()].map(async (pool) => (await pool).destroy()));
    },
  };
}
