import { getHeapStatistics } from 'node:v8';

/** How often the memory of a thread is checked, in ms. */
const CHECK_MS = 100;
const MIB = 1024 * 1024;

// V8 ends a thread whose JavaScript heap is full. Buffers are outside of the heap: without these checks, they could grow
// until the system ends the process.

/**
 * Watches the buffers of a run from its own thread. They are checked while the job yields, and when it calls `ctx`.
 */
export class MemoryWatch {
  private readonly timer: NodeJS.Timeout;
  private readonly maxBytes: number;
  private checkedAt = performance.now();
  private isOver = false;

  /** @param onExceeded called once */
  constructor(
    maxMb: number,
    private readonly onExceeded: () => void,
  ) {
    this.maxBytes = maxMb * MIB;
    this.timer = setInterval(() => this.check(), CHECK_MS).unref();
  }

  /** Checks the memory, unless it was checked a moment ago: a job may call this in a busy loop. */
  check(): void {
    const now = performance.now();
    if (this.isOver || now - this.checkedAt < CHECK_MS / 2) return;
    this.checkedAt = now;
    if (getHeapStatistics().external_memory <= this.maxBytes) return;
    this.isOver = true;
    this.onExceeded();
  }

  end(): void {
    clearInterval(this.timer);
  }
}

/**
 * Watches the buffers of a run from another thread, for code that neither yields nor calls `ctx`.
 * @param read returns the size of the buffers, in bytes; `undefined` if it is unknown
 * @returns a function that ends the watch
 */
export function watchThread(
  read: () => Promise<number | undefined>,
  maxMb: number,
  onExceeded: () => void,
): () => void {
  let pending = false;
  const timer = setInterval(async () => {
    if (pending) return;
    pending = true;
    // Fails if the thread has ended.
    const bytes = await read().catch(() => undefined);
    pending = false;
    if (bytes !== undefined && bytes > maxMb * MIB) onExceeded();
  }, CHECK_MS).unref();
  return () => clearInterval(timer);
}
