/** A map that forgets its oldest entries, so that callers with many addresses cannot fill the memory. */
export class BoundedMap<Value> {
  private readonly entries = new Map<string, Value>();

  constructor(private readonly maxEntries: number) {}

  get(key: string): Value | undefined {
    return this.entries.get(key);
  }

  set(key: string, value: Value): void {
    // An entry that is set again becomes the newest one.
    this.entries.delete(key);
    this.entries.set(key, value);
    if (this.entries.size <= this.maxEntries) return;
    const [oldest] = this.entries.keys();
    if (oldest !== undefined) this.entries.delete(oldest);
  }

  delete(key: string): void {
    this.entries.delete(key);
  }

  /** From the oldest entry to the newest. */
  [Symbol.iterator](): MapIterator<[string, Value]> {
    return this.entries[Symbol.iterator]();
  }
}
