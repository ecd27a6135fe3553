/** Passes values from a producer to a `for await` loop, which may be slower. */
export interface Queue<T> {
  /** @param replaces selects an unread earlier value that this value makes obsolete */
  push(value: T, replaces?: (earlier: T) => boolean): void;
  /** No more values follow. Those in the queue are still read. */
  end(error?: unknown): void;
  read(): AsyncGenerator<T, void, undefined>;
}

export function createQueue<T>(): Queue<T> {
  const entries: Array<{ value: T }> = [];
  let wake: (() => void) | undefined;
  let closed = false;
  let failure: unknown;
  return {
    push(value, replaces) {
      const index = replaces ? entries.findIndex((entry) => replaces(entry.value)) : -1;
      if (index >= 0) entries.splice(index, 1);
      entries.push({ value });
      wake?.();
    },
    end(error) {
      if (closed) return;
      closed = true;
      failure = error;
      wake?.();
    },
    async *read() {
      for (;;) {
        for (let entry = entries.shift(); entry; entry = entries.shift()) yield entry.value;
        if (failure) throw failure;
        if (closed) return;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}
