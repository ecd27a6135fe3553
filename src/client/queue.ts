/** Takes values from whoever has them and gives them to a `for await`, which may be slower. */
export class Queue<T> {
  private readonly values: T[] = [];
  private wake: (() => void) | undefined;
  private over = false;
  private error: unknown;

  /** @param replaces a value that has not been taken yet and needs not be any more, because of this one */
  push(value: T, replaces?: (earlier: T) => boolean): void {
    const index = replaces ? this.values.findIndex(replaces) : -1;
    if (index >= 0) this.values.splice(index, 1);
    this.values.push(value);
    this.wake?.();
  }

  /** No value comes any more; those that are there are still given. */
  end(error?: unknown): void {
    if (this.over) return;
    this.over = true;
    this.error = error;
    this.wake?.();
  }

  /** @param release called when nobody takes any more */
  async *read(release: () => void): AsyncGenerator<T, void, undefined> {
    try {
      for (;;) {
        while (this.values.length > 0) yield this.values.shift()!;
        if (this.error) throw this.error;
        if (this.over) return;
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
      }
    } finally {
      release();
    }
  }
}
