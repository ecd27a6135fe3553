import type { Exported } from './registry.js';

/** The metrics of a process, and its number, which becomes the label `process` of its series. */
export interface MetricsOfProcess {
  process: number;
  metrics: readonly Exported[];
}

/** Merges the metrics of processes. No values are added up: each series belongs to one process. */
export function mergeMetrics(parts: readonly MetricsOfProcess[]): Exported[] {
  const merged = new Map<string, Exported>();
  for (const { process, metrics } of parts) {
    for (const metric of metrics) {
      const all = merged.get(metric.name) ?? { ...metric, values: [] };
      merged.set(metric.name, all);
      for (const sample of metric.values) {
        // Messages between processes are JSON, in which NaN is null.
        const value = sample.value ?? Number.NaN;
        all.values.push({ ...sample, value, labels: { process: String(process), ...sample.labels } });
      }
    }
  }
  return [...merged.values()];
}
