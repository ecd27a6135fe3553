/** Something that runs until it is stopped. */
export interface Service {
  /** Starts no new round of work. Resolves when the round in progress has ended. */
  stop(): Promise<void>;
}

/**
 * What a process has opened, so that it can be closed in the reverse order: what was opened later may use what was
 * opened before. (Node's own `AsyncDisposableStack` came with Node 24.)
 */
export class CloseStack {
  private readonly steps: Array<() => unknown> = [];

  /** Stops a service when the stack is closed. Returns the service. */
  use<S extends Service>(service: S): S {
    this.defer(() => service.stop());
    return service;
  }

  /** Calls a function when the stack is closed, and waits for it. */
  defer(step: () => unknown): void {
    this.steps.push(step);
  }

  /**
   * Runs the steps, the last one first, each after the one before has finished. Calling it again does nothing.
   * @throws the first error that a step threw, after all steps have run
   */
  async close(): Promise<void> {
    const errors: unknown[] = [];
    for (let step = this.steps.pop(); step; step = this.steps.pop()) {
      try {
        await step();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }
}
