/** One line of a scrape. `name` includes the suffixes of a histogram. */
interface Series {
  name: string;
  labels: Record<string, string>;
  value: number;
}

const HEAD = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/y;

/**
 * The metrics of one or several processes, in the text format of Prometheus. The reader is strict: every series follows the
 * type of its metric and occurs once, histograms are cumulative, and their last bucket has the count.
 */
export class Scrape {
  private constructor(
    readonly all: Series[],
    /** The types of all metrics, by name. */
    readonly types: Map<string, string>,
  ) {}

  static async of(...urls: string[]): Promise<Scrape> {
    const all: Series[] = [];
    const types = new Map<string, string>();
    for (const text of await Promise.all(urls.map(async (url) => (await fetch(url)).text()))) {
      all.push(...read(text, types));
    }
    return new Scrape(all, types);
  }

  /** Returns the sum of the series with these labels: of a histogram, the number of observations. */
  value(name: string, labels: Record<string, string> = {}): number {
    const type = this.types.get(name);
    if (type === undefined) throw new Error(`no metric ${name}`);
    const wanted = type === 'histogram' ? `${name}_count` : name;
    return this.all
      .filter((series) => series.name === wanted && hasLabels(series, labels))
      .reduce((sum, { value }) => sum + value, 0);
  }

  /** Returns the values of a label in all series. */
  valuesOf(label: string): Set<string> {
    return new Set(this.all.flatMap(({ labels }) => labels[label] ?? []));
  }
}

const hasLabels = ({ labels }: Series, wanted: Record<string, string>): boolean =>
  Object.entries(wanted).every(([label, value]) => labels[label] === value);

/** @param types the types of the metrics are added here */
function read(text: string, types: Map<string, string>): Series[] {
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  const all: Series[] = [];
  const seen = new Set<string>();
  let current = '';
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const [, keyword, named = '', rest = ''] = HEAD.exec(line) ?? [];
    if (keyword) {
      current = named;
      if (keyword === 'TYPE') types.set(named, rest);
      continue;
    }
    const [key] = line.split(/ (?=\S+$)/) as [string];
    if (seen.has(key)) throw new Error(`twice: ${key}`);
    seen.add(key);
    const [, name = '', labels = '', value] = SAMPLE.exec(line) ?? [];
    const series = { name, labels: readLabels(labels), value: Number(value) };
    const suffix = name.slice(current.length);
    const allowed = types.get(current) === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
    if (!name.startsWith(current) || !allowed.includes(suffix)) throw new Error(`without a type: ${line}`);
    if (Number.isNaN(series.value) && !/^nan$/i.test(value ?? '')) throw new Error(`no value: ${line}`);
    checkBucket(all, series);
    all.push(series);
  }
  return all;
}

function readLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < text.length) {
    const at = LABEL.lastIndex;
    const [, name, value] = LABEL.exec(text) ?? [];
    if (name === undefined || value === undefined || name in labels)
      throw new Error(`labels: ${text.slice(at)}`);
    labels[name] = value;
  }
  return labels;
}

/** Compares a line of a histogram with the one before it. */
function checkBucket(before: Series[], { name, labels: { le, ...labels }, value }: Series): void {
  const base = name.replace(/_(bucket|count)$/, '');
  const same = before.filter((series) => series.name === `${base}_bucket` && hasLabels(series, labels));
  const last = same.findLast(
    (series) => Object.keys(series.labels).length === Object.keys(labels).length + 1,
  );
  if (name.endsWith('_count') && last && (last.labels.le !== '+Inf' || last.value !== value))
    throw new Error(`${name} is not the last bucket`);
  if (le !== undefined && last && last.labels.le !== '+Inf' && last.value > value)
    throw new Error(`${name} is not cumulative at ${le}`);
}
