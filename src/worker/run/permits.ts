/**
 * The permits for jobs of a queue that run in this process. The workers of the queue's shards share them, so that the process runs as
 * many of its jobs as with one shard, whichever shards they are in.
 */
export class Permits {
  private readonly waiting: Array<{ worker: object; give: () => void }> = [];

  /** @param free how many jobs run at a time */
  constructor(private free: number) {}

  /** Takes a permit if one is free. */
  tryTake(): boolean {
    if (this.free === 0) return false;
    this.free--;
    return true;
  }

  /**
   * Waits for a permit. Workers get permits in the order in which they began to wait.
   * @returns whether a permit was taken; `false` if the signal was aborted
   */
  async take(worker: object, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false;
    return new Promise((resolve) => {
      const entry = { worker, give: () => done(true) };
      const onAbort = (): void => {
        this.waiting.splice(this.waiting.indexOf(entry), 1);
        done(false);
      };
      const done = (taken: boolean): void => {
        signal.removeEventListener('abort', onAbort);
        resolve(taken);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.waiting.push(entry);
    });
  }

  /** Gives a permit back. */
  release(): void {
    const next = this.waiting.shift();
    if (next) next.give();
    else this.free++;
  }

  /** Whether another worker waits for a permit. */
  isWantedByOthers(worker: object): boolean {
    return this.waiting.some((entry) => entry.worker !== worker);
  }
}
