import type { Metric, OpenMetricsContentType, Registry, RegistryContentType } from 'prom-client';
import { instruments } from './all.js';
import {
  type AnyInstrument,
  type Distribution,
  type Histogram,
  refreshGauges,
  type Sample,
} from './instruments.js';

/** What prom-client reads of a metric when it is scraped. */
export interface Exported {
  name: string;
  help: string;
  type: AnyInstrument['type'];
  values: Array<{ labels: Record<string, string | number>; value: number; metricName?: string }>;
}

type PromClient = typeof import('prom-client');
/** The same metrics, for the two formats. */
interface Registries {
  prometheus: Registry;
  openMetrics: Registry<OpenMetricsContentType>;
}

let loaded: Promise<PromClient> | undefined;
let own: Promise<Registry> | undefined;
let all: Promise<Registries> | undefined;

/** Loads prom-client, at the first scrape. */
const promClient = (): Promise<PromClient> => {
  loaded ??= import('prom-client');
  return loaded;
};

/**
 * Returns prom-client's registry with the metrics of Headway in this process (docs/reference/metrics.md), for an application
 * that serves its own metrics: `Registry.merge([register, await metricsRegistry()])`. It has no metrics of Node itself.
 */
export function metricsRegistry(): Promise<Registry> {
  own ??= promClient().then(({ Registry }) => {
    const registry = new Registry();
    for (const instrument of instruments) register(registry, exporter(instrument));
    return registry;
  });
  return own;
}

/** A scrape: the text of all metrics in the format that the client prefers. */
export interface Scrape {
  contentType: string;
  body: string;
}

/**
 * Returns the metrics of Headway, and of Node and the process as prom-client names them.
 * @param accept the `Accept` header: OpenMetrics 1.0.0 if it names it, else the text format of Prometheus 0.0.4
 */
export async function scrape(accept = ''): Promise<Scrape> {
  all ??= createRegistries();
  const { prometheus, openMetrics } = await all;
  return textOf(wantsOpenMetrics(accept) ? openMetrics : prometheus);
}

/** Returns the same metrics as {@link scrape}, for a process that merges them with those of others. */
export async function readMetrics(): Promise<Exported[]> {
  all ??= createRegistries();
  return (await (await all).prometheus.getMetricsAsJSON()) as unknown as Exported[];
}

/** Returns metrics of other processes as a scrape. @param accept as for {@link scrape} */
export async function renderMetrics(metrics: readonly Exported[], accept = ''): Promise<Scrape> {
  const { Registry } = await promClient();
  const isOpen = wantsOpenMetrics(accept);
  const registry = isOpen ? openMetricsRegistry(Registry) : new Registry();
  for (const metric of metrics) {
    const source: Source = { name: metric.name, type: metric.type, get: async () => metric };
    register(registry as Registry, isOpen ? inOpenMetrics(source) : source);
  }
  return textOf(registry);
}

const wantsOpenMetrics = (accept: string): boolean => /\bapplication\/openmetrics-text\b/i.test(accept);

const textOf = async (registry: Registry<RegistryContentType>): Promise<Scrape> => ({
  contentType: registry.contentType,
  body: await registry.metrics(),
});

function openMetricsRegistry(type: PromClient['Registry']): Registry<OpenMetricsContentType> {
  const registry = new type<OpenMetricsContentType>();
  registry.setContentType(type.OPENMETRICS_CONTENT_TYPE);
  return registry;
}

async function createRegistries(): Promise<Registries> {
  const { Registry, collectDefaultMetrics } = await promClient();
  const prometheus = new Registry();
  for (const instrument of instruments) register(prometheus, exporter(instrument));
  collectDefaultMetrics({ register: prometheus });
  // Reading them takes time for each open socket, and they are not named as Prometheus demands.
  for (const what of ['handles', 'requests', 'resources']) {
    prometheus.removeSingleMetric(`nodejs_active_${what}`);
    prometheus.removeSingleMetric(`nodejs_active_${what}_total`);
  }
  hideUnmeasuredLag(prometheus);
  const openMetrics = openMetricsRegistry(Registry);
  for (const metric of prometheus.getMetricsAsArray())
    register(openMetrics, inOpenMetrics(metric as unknown as Source));
  return { prometheus, openMetrics };
}

/** The delays of the event loop. The first one reads the measurement that the others show. */
const LAG = ['', '_min', '_max', '_mean', '_stddev', '_p50', '_p90', '_p99'].map(
  (what) => `nodejs_eventloop_lag${what}_seconds`,
);
/** Longer than any delay, in seconds. Node returns a minimum of 2^63 ns, a mean of NaN and otherwise 0 if nothing was measured. */
const NEVER = 1e9;

/**
 * Leaves the delays of the event loop out of a scrape for which nothing was measured. prom-client measures them from the first
 * scrape on, and from each scrape to the next.
 */
function hideUnmeasuredLag(registry: Registry): void {
  const metrics = LAG.map((name) => registry.getSingleMetric(name) as unknown as Source);
  const min = metrics[1] as Source;
  const isMeasured = async (): Promise<boolean> => ((await min.get()).values[0]?.value ?? NEVER) < NEVER;
  for (const metric of metrics) {
    const { name, type } = metric;
    registry.removeSingleMetric(name);
    register(registry, {
      name,
      type,
      async get() {
        const exported = await metric.get();
        return (await isMeasured()) ? exported : { ...exported, values: [] };
      },
    });
  }
}

/** The part of a metric that a registry uses. prom-client's types demand one of its own classes. */
interface Source {
  name: string;
  type: string;
  get(): Promise<Exported>;
}
const register = <T extends RegistryContentType>(registry: Registry<T>, source: Source): void =>
  registry.registerMetric(source as unknown as Metric);

function exporter(instrument: AnyInstrument): Source {
  const { name, help, type } = instrument;
  return {
    name,
    type,
    async get() {
      if (type === 'gauge') await refreshGauges();
      return { name, help, type, values: valuesOf(instrument) };
    },
  };
}

/** A registry in OpenMetrics renames counters, which must not be seen by the other registry. */
function inOpenMetrics(source: Source): Source {
  const { type } = source;
  const name = type === 'counter' ? source.name.replace(/_total$/, '') : source.name;
  return { name, type, get: async () => ({ ...(await source.get()), name }) };
}

function valuesOf(instrument: AnyInstrument): Exported['values'] {
  const labelled = ({ labels }: Sample<unknown>): Record<string, string> =>
    Object.fromEntries(instrument.labels.map((label, i) => [label, labels[i] ?? '']));
  if (instrument.type === 'histogram') {
    return instrument.samples().flatMap((sample) => bucketsOf(instrument, labelled(sample), sample.value));
  }
  if (instrument.type === 'counter') {
    return instrument.samples().map((sample) => ({ labels: labelled(sample), value: sample.value.value }));
  }
  const sums = new Map<string, Exported['values'][number]>();
  for (const sample of instrument.samples()) {
    const key = sample.labels.join('\n');
    const sum = sums.get(key);
    if (sum) sum.value += sample.value;
    else sums.set(key, { labels: labelled(sample), value: sample.value });
  }
  return [...sums.values()];
}

function bucketsOf(
  { name, bounds }: Histogram,
  labels: Record<string, string>,
  { counts, sum }: Distribution,
): Exported['values'] {
  let count = 0;
  const buckets = [...bounds, '+Inf'].map((le, i) => {
    count += counts[i] ?? 0;
    return { labels: { le, ...labels }, value: count, metricName: `${name}_bucket` };
  });
  return [
    ...buckets,
    { labels, value: sum, metricName: `${name}_sum` },
    { labels, value: count, metricName: `${name}_count` },
  ];
}
