/** What has been sent and has not landed yet. */
export class InFlight {
  private readonly sent = new Set<Promise<unknown>>();

  constructor(private readonly onLost: (error: unknown) => void) {}

  get size(): number {
    return this.sent.size;
  }

  add(sending: Promise<unknown>): void {
    const done: Promise<unknown> = sending.catch(this.onLost).finally(() => this.sent.delete(done));
    this.sent.add(done);
  }

  /** Resolves when nothing is under way any more. */
  async landed(): Promise<void> {
    while (this.sent.size > 0) await Promise.all(this.sent);
  }
}
