/**
 * Closes what a process has opened, in the reverse order. The methods are named as in `AsyncDisposableStack` of
 * ECMAScript, which Node 20 does not have.
 */
export class CloseStack {
  private readonly closers: Array<() => unknown> = [];
  private closing: Promise<void> | undefined;

  /** Closes `resource` together with the others, in its turn. @returns the resource */
  adopt<T>(resource: T, close: (resource: T) => unknown): T {
    this.defer(() => close(resource));
    return resource;
  }

  /** Calls `close` in its turn. */
  defer(close: () => unknown): void {
    this.closers.push(close);
  }

  /**
   * Closes everything, once. Each resource waits until those that were opened after it are closed; if closing one fails,
   * the others are closed anyway.
   * @throws the first error
   */
  close(): Promise<void> {
    this.closing ??= this.closeAll();
    return this.closing;
  }

  private async closeAll(): Promise<void> {
    const errors: unknown[] = [];
    for (const close of this.closers.reverse()) {
      try {
        await close();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }
}
