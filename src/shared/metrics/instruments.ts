/**
 * The instruments of this process: plain numbers that cost a few nanoseconds to change. prom-client is loaded, and gets a copy
 * of them, when somebody reads the metrics (see registry.ts), so a process that nobody scrapes pays for nothing else.
 *
 * They belong to the process, as in every metrics library: an API and a worker in one program share them.
 */

/** One value of a metric, with the values of its labels in the order of {@link Definition.labels}. */
export interface Sample<T> {
  labels: readonly string[];
  value: T;
}

interface Definition {
  /** Base units, and the suffix of the unit: https://prometheus.io/docs/practices/naming/ */
  name: string;
  help: string;
  labels: readonly string[];
}

/** A number that only grows. */
export class Cell {
  value = 0;
}

/** The number of observations in each bucket, the last of which has no upper bound, and their sum. */
export class Distribution {
  readonly counts: Float64Array;
  sum = 0;

  constructor(private readonly bounds: readonly number[]) {
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const { bounds, counts } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket++;
    counts[bucket] = (counts[bucket] as number) + 1;
    this.sum += value;
  }
}

/** The series of a metric, by the values of its labels. A metric without labels has one series from the start. */
class Instrument<T> implements Definition {
  private readonly series = new Map<string, Sample<T>>();
  /** The series of a metric without labels. */
  readonly only: T;

  constructor(
    readonly name: string,
    readonly help: string,
    readonly labels: readonly string[],
    private readonly create: () => T,
  ) {
    this.only = create();
  }

  /** Returns the series with these label values. They must come from a bounded set. */
  at(...labels: string[]): T {
    const key = labels.length === 1 ? (labels[0] as string) : labels.join('\n');
    let sample = this.series.get(key);
    if (!sample) {
      sample = { labels, value: this.create() };
      this.series.set(key, sample);
    }
    return sample.value;
  }

  samples(): Sample<T>[] {
    return this.labels.length === 0 ? [{ labels: [], value: this.only }] : [...this.series.values()];
  }
}

export class Counter extends Instrument<Cell> {
  readonly type = 'counter';

  constructor(name: string, help: string, labels: readonly string[] = []) {
    super(name, help, labels, () => new Cell());
  }

  /**
   * Begins the series of these values of the only label. `increase()` of Prometheus does not see the first event of a series
   * that begins with it.
   */
  beginAtZero(values: Iterable<string>): void {
    for (const value of values) this.at(value);
  }
}

export class Histogram extends Instrument<Distribution> {
  readonly type = 'histogram';

  /** @param bounds the upper bounds of the buckets, ascending */
  constructor(
    name: string,
    help: string,
    labels: readonly string[],
    readonly bounds: readonly number[],
  ) {
    super(name, help, labels, () => new Distribution(bounds));
  }
}

/** A number that is read when the metrics are. Several parts of a process may contribute: equal labels are added up. */
export class Gauge implements Definition {
  readonly type = 'gauge';
  private readonly sources = new Set<() => Sample<number>[]>();

  constructor(
    readonly name: string,
    readonly help: string,
    readonly labels: readonly string[] = [],
  ) {}

  /** Adds a source of values. @returns a function that removes it */
  from(source: () => Sample<number>[]): () => void {
    this.sources.add(source);
    return () => void this.sources.delete(source);
  }

  samples(): Sample<number>[] {
    return [...this.sources].flatMap((source) => source());
  }
}

const refreshers = new Set<() => Promise<unknown>>();

/**
 * Registers work that brings the sources of gauges up to date. It runs before they are read, often several times at once, and
 * must neither fail nor wait for long.
 * @returns a function that removes it
 */
export function beforeReading(work: () => Promise<unknown>): () => void {
  refreshers.add(work);
  return () => void refreshers.delete(work);
}

/** Brings the sources of gauges up to date. */
export const refreshGauges = (): Promise<unknown> => Promise.all(Array.from(refreshers, (work) => work()));

export type AnyInstrument = Counter | Histogram | Gauge;
