/** Sends values one at a time. Of the values that arrive while one is being sent, only the newest is sent. */
export class Newest<T> {
  private sending: Promise<void> | undefined;
  private waiting: { value: T } | undefined;

  constructor(
    private readonly send: (value: T) => Promise<unknown> | undefined,
    private readonly onLost: (error: unknown) => void,
  ) {}

  put(value: T): void {
    this.waiting = { value };
    this.sending ??= this.sendAll();
  }

  /** Resolves when the newest value has been sent. */
  async delivered(): Promise<void> {
    await this.sending;
  }

  private async sendAll(): Promise<void> {
    while (this.waiting) {
      const { value } = this.waiting;
      this.waiting = undefined;
      try {
        await this.send(value);
      } catch (error) {
        this.onLost(error);
      }
    }
    this.sending = undefined;
  }
}
