/** Time after which an old speed counts 1/e as much as a new one. */
const TIME_CONSTANT_MS = 5000;
/** Reports closer together than this are not used to compute the speed. */
const MIN_INTERVAL_MS = 50;

/**
 * The growth rate of a number: an exponentially weighted moving average for samples at irregular intervals (the weight of
 * a sample is 1 - e^(-dt/T)).
 */
export class Rate {
  private last: { value: number; at: number } | undefined;
  private perMs: number | undefined;

  add(value: number, now: number): void {
    if (!this.last) {
      this.last = { value, at: now };
      return;
    }
    const elapsed = now - this.last.at;
    if (elapsed < MIN_INTERVAL_MS) return;
    const speed = Math.max(0, value - this.last.value) / elapsed;
    const weight = this.perMs === undefined ? 1 : 1 - Math.exp(-elapsed / TIME_CONSTANT_MS);
    this.perMs = weight * speed + (1 - weight) * (this.perMs ?? 0);
    this.last = { value, at: now };
  }

  /** Returns the rate; `undefined` until two samples are far enough apart. */
  perSecond(): number | undefined {
    return this.perMs === undefined ? undefined : this.perMs * 1000;
  }
}
