/** A number of places, handed out in order of arrival. */
export class Permits {
  private readonly waiting: Array<() => void> = [];

  constructor(private free: number) {}

  /**
   * Resolves when there is a place. It must be given back.
   * @param signal ends the waiting, with its reason
   */
  async take(signal: AbortSignal): Promise<void> {
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

  giveBack(): void {
    const next = this.waiting.shift();
    if (next) next();
    else this.free++;
  }
}

/**
 * The place of one who leaves it to others while he waits for them: a parent and its children may need the same few
 * places, and if all were held by parents, none of them would ever come to an end.
 */
export class Permit {
  private held = false;
  private ended = false;
  /** How much he waits for at this moment. */
  private waits = 0;
  private returning: Promise<void> | undefined;

  /** @param signal ends the waiting for a place, with its reason */
  constructor(
    private readonly slots: Permits,
    private readonly signal: AbortSignal,
  ) {}

  async take(): Promise<void> {
    await this.slots.take(this.signal);
    this.held = true;
  }

  /** Waits for something without the place, and resolves when he has one again, unless he waits for more. */
  async leaveFor<T>(what: Promise<T>): Promise<T> {
    this.waits++;
    this.leave();
    try {
      return await what;
    } finally {
      if (--this.waits === 0) await this.comeBack();
    }
  }

  /** He needs it no more. */
  end(): void {
    this.ended = true;
    this.leave();
  }

  private leave(): void {
    if (!this.held) return;
    this.held = false;
    this.slots.giveBack();
  }

  private comeBack(): Promise<void> {
    this.returning ??= this.take()
      .then(() => {
        if (this.ended || this.waits > 0) this.leave();
      })
      .finally(() => {
        this.returning = undefined;
      });
    return this.returning;
  }
}
