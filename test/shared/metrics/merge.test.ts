import { expect, it } from 'vitest';
import { mergeMetrics } from '../../../src/shared/metrics/merge.js';
import { type Exported, readMetrics, renderMetrics } from '../../../src/shared/metrics/registry.js';

/** The metrics of this process, as they arrive from another one. */
const received = async (): Promise<Exported[]> =>
  JSON.parse(JSON.stringify(await readMetrics())) as Exported[];

it('merges the metrics of processes without adding them up, in both formats', async () => {
  const gauge: Exported = { name: 'a_gauge', help: 'A gauge.', type: 'gauge', values: [] };
  const merged = mergeMetrics([
    { process: 1, metrics: [{ ...gauge, values: [{ labels: { role: 'api' }, value: 3 }] }] },
    {
      process: 2,
      metrics: [{ ...gauge, values: JSON.parse('[{"labels":{},"value":null}]') }, ...(await received())],
    },
    { process: 3, metrics: await received() },
  ]);
  const plain = await renderMetrics(merged);
  expect(plain.contentType).toContain('version=0.0.4');
  expect(plain.body).toContain(
    '# HELP a_gauge A gauge.\n# TYPE a_gauge gauge\na_gauge{process="1",role="api"} 3\na_gauge{process="2"} Nan\n',
  );
  for (const process of [2, 3]) {
    expect(plain.body).toMatch(new RegExp(`^process_resident_memory_bytes{process="${process}"} \\d+$`, 'm'));
    expect(plain.body).toContain(`headway_stream_lag_seconds_bucket{process="${process}",le="0.001"} 0\n`);
  }
  const open = await renderMetrics(merged, 'application/openmetrics-text;version=1.0.0');
  expect(open.contentType).toContain('application/openmetrics-text');
  // Other tests in this process may have published.
  expect(open.body).toMatch(
    /# TYPE headway_events_published counter\nheadway_events_published_total{process="2"} \d+\n/,
  );
  expect(open.body.endsWith('\n# EOF\n')).toBe(true);
});
