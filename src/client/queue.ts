/** Takes values from whoever has them and gives them to a `for await`, which may be slower. */
export interface Queue<T> {
  /** @param replaces a value that has not been taken yet and needs not be any more, because of this one */
  push(value: T, replaces?: (earlier: T) => boolean): void;
  /** No value comes any more; those that are there are still given. */
  end(error?: unknown): void;
  read(): AsyncGenerator<T, void, undefined>;
}

export function createQueue<T>(): Queue<T> {
  const values: T[] = [];
  let wake: (() => void) | undefined;
  let over = false;
  let failure: unknown;
  return {
    push(value, replaces) {
      const index = replaces ? values.findIndex(replaces) : -1;
      if (index >= 0) values.splice(index, 1);
      values.push(value);
      wake?.();
    },
    end(error) {
      if (over) return;
      over = true;
      failure = error;
      wake?.();
    },
    async *read() {
      for (;;) {
        while (values.length > 0) yield values.shift()!;
        if (failure) throw failure;
        if (over) return;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}
