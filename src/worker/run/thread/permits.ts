/** A semaphore: a number of permits, granted in order of arrival. */
export class Permits {
  private readonly waiting: Array<() => void> = [];

  constructor(private free: number) {}

  /**
   * Resolves when a permit is granted. The caller must release it.
   * @param signal rejects the call with its reason while it waits
   */
  async acquire(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.free > 0) {
      this.free--;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const onTurn = (): void => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
      const onAbort = (): void => {
        this.waiting.splice(this.waiting.indexOf(onTurn), 1);
        reject(signal.reason);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.waiting.push(onTurn);
    });
  }

  release(): void {
    const next = this.waiting.shift();
    if (next) next();
    else this.free++;
  }
}

/**
 * A permit that is released while its holder waits for something else. A parent and its children may need the same few
 * permits: if parents held all of them while waiting, no child could run.
 */
export class Permit {
  private held = false;
  private ended = false;
  /** Number of promises that the holder is waiting for. */
  private waits = 0;
  private returning: Promise<void> | undefined;

  /** @param signal rejects `acquire` with its reason while it waits */
  constructor(
    private readonly permits: Permits,
    private readonly signal: AbortSignal,
  ) {}

  async acquire(): Promise<void> {
    await this.permits.acquire(this.signal);
    this.held = true;
  }

  /** Waits for a promise without the permit. Acquires it again afterwards, unless the holder waits for another promise. */
  async releaseWhile<T>(promise: Promise<T>): Promise<T> {
    this.waits++;
    this.release();
    try {
      return await promise;
    } finally {
      if (--this.waits === 0) await this.reacquire();
    }
  }

  /** Releases the permit for good. */
  end(): void {
    this.ended = true;
    this.release();
  }

  private release(): void {
    if (!this.held) return;
    this.held = false;
    this.permits.release();
  }

  private reacquire(): Promise<void> {
    this.returning ??= this.acquire()
      .then(() => {
        if (this.ended || this.waits > 0) this.release();
      })
      .finally(() => {
        this.returning = undefined;
      });
    return this.returning;
  }
}
