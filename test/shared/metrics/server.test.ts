import { connect } from 'node:net';
import { Counter as PromCounter, Registry } from 'prom-client';
import { afterEach, expect, it, vi } from 'vitest';
import { createRouteFinder } from '../../../src/api/exchange/route-finder.js';
import { countError } from '../../../src/api/http/request-metrics.js';
import { LIMITS } from '../../../src/api/limits/names.js';
import { routeTable } from '../../../src/api/routes/table.js';
import { frameBody, happenedAt } from '../../../src/shared/channel/frame.js';
import { HeadwayError } from '../../../src/shared/errors.js';
import { createJobCounter } from '../../../src/shared/lifecycle/job-counter.js';
import { jobsFinished } from '../../../src/shared/metrics/job-metrics.js';
import { limitRefusals } from '../../../src/shared/metrics/process-metrics.js';
import { metricsRegistry } from '../../../src/shared/metrics/registry.js';
import { type MetricsServer, serveMetrics } from '../../../src/shared/metrics/server.js';
import { readConfig } from '../../../src/shared/process/config.js';
import { until } from '../../support/until.js';

const open: Array<{ close(): void }> = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

async function serve(
  port: number | undefined,
  host = '127.0.0.1',
): Promise<MetricsServer & { lines: string[] }> {
  const lines: string[] = [];
  const log = { info: () => {}, warn: (_fields: object, line: string) => void lines.push(line) };
  const server = await serveMetrics({ host, port, log });
  open.push(server);
  return { ...server, lines };
}

it('a port that is taken costs one clear line; without a set port, the next free one is used', async () => {
  const first = await serve(0);
  expect(first.lines).toEqual([]);
  const { port } = new URL(first.url!);
  const second = await serve(Number(port));
  expect(second.url).toBeUndefined();
  expect(second.lines).toEqual([
    `metrics are not served: cannot listen on METRICS_HOST 127.0.0.1, METRICS_PORT ${port} (EADDRINUSE)`,
  ]);
  // At most one of the two ports is free for another program.
  const [third, fourth] = await Promise.all([serve(undefined), serve(undefined)]);
  const ports = [third, fourth].map(({ url }) => Number(new URL(url!).port));
  expect(new Set(ports).size).toBe(2);
  for (const each of ports) expect(each >= 9464 && each <= 9483, String(each)).toBe(true);
});

it('finds a port beside many other processes without a warning of Node', async () => {
  const warnings: string[] = [];
  const onWarning = ({ message }: Error): void => void warnings.push(message);
  process.on('warning', onWarning);
  const servers: MetricsServer[] = [];
  // No other test has ports of this address.
  while (servers.length < 12) servers.push(await serve(undefined, '127.0.0.9'));
  // Node emits warnings in the next tick.
  await new Promise(setImmediate);
  process.off('warning', onWarning);
  expect(warnings).toEqual([]);
  expect(new Set(servers.map(({ url }) => url)).size).toBe(12);
});

it('only /metrics is served, with GET and HEAD, in the format that the client asks for', async () => {
  const { url } = await serve(0);
  const ask = (path: string, init: RequestInit = {}): Promise<Response> => fetch(new URL(path, url), init);
  expect((await ask('/')).status).toBe(404);
  expect((await ask('/metrics/more')).status).toBe(404);
  const refused = await ask('/metrics', { method: 'POST', body: 'x'.repeat(100_000) });
  expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  const head = await ask('/metrics?x', { method: 'HEAD' });
  expect([head.status, await head.text()]).toEqual([200, '']);
  const plain = await ask('/metrics');
  expect(plain.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  expect(await plain.text()).toContain('\n# TYPE headway_events_published_total counter\n');
  const accept = 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5';
  for (let i = 0; i < 2; i++) {
    const openMetrics = await ask('/metrics', { headers: { Accept: accept } });
    expect(openMetrics.headers.get('content-type')).toBe(
      'application/openmetrics-text; version=1.0.0; charset=utf-8',
    );
    const text = await openMetrics.text();
    expect(text).toMatch(/\n# TYPE headway_events_published counter\nheadway_events_published_total \d+\n/);
    expect(text.endsWith('\n# EOF\n')).toBe(true);
  }
  // The other format is not changed by it.
  expect(await (await ask('/metrics')).text()).toContain('\n# TYPE headway_events_published_total counter\n');
});

it('the first scrape has no delays of the event loop, because none was measured', async () => {
  // The state of the module belongs to the process, and other files may have read the metrics before.
  vi.resetModules();
  const { scrape } = await import('../../../src/shared/metrics/registry.js');
  const lags = (text: string): string[] => text.match(/^nodejs_eventloop_lag\w* .+$/gm) ?? [];
  const first = (await scrape()).body;
  expect(lags(first)).toEqual([]);
  expect(first).toContain('\n# TYPE nodejs_eventloop_lag_p99_seconds gauge\n');
  expect(first).toMatch(/\nprocess_resident_memory_bytes \d+\n/);
  const second = await until('something is measured', async () => {
    const values = lags((await scrape('application/openmetrics-text')).body);
    return values.length > 0 ? values : undefined;
  });
  expect(second).toHaveLength(8);
  for (const line of second) expect(Number(line.split(' ')[1]), line).toBeLessThan(60);
});

it('a client that sends half a request does not keep others from reading', async () => {
  const { url } = await serve(0);
  const { port } = new URL(url!);
  const half = connect(Number(port), '127.0.0.1');
  open.push({ close: () => half.destroy() });
  half.on('error', () => {});
  half.write('GET /metrics HTTP/1.1\r\nHost: a');
  expect((await fetch(url!)).status).toBe(200);
});

it('an application adds the registry to its own', async () => {
  const own = new Registry();
  new PromCounter({ name: 'own_total', help: 'Own.', registers: [own] }).inc(3);
  const text = await Registry.merge([own, await metricsRegistry()]).metrics();
  expect(text).toContain('\nown_total 3\n');
  expect(text).toMatch(/\nheadway_events_published_total \d+\n/);
  expect(text).not.toContain('nodejs_');
  expect(await metricsRegistry()).toBe(await metricsRegistry());
});

it('METRICS_PORT is a port or off', () => {
  expect(readConfig({}).METRICS_PORT).toBe('');
  expect(readConfig({ METRICS_PORT: '0' }).METRICS_PORT).toBe(0);
  expect(readConfig({ METRICS_PORT: 'off' }).METRICS_PORT).toBe('off');
  for (const port of ['65536', '-1', 'on', '1.5']) {
    expect(() => readConfig({ METRICS_PORT: port }), port).toThrow(
      `METRICS_PORT: must be a port from 0 to 65535, or off (got "${port}")`,
    );
  }
});

it('paths become templates, and everything unknown becomes nothing', () => {
  const find = createRouteFinder(routeTable());
  const paths: Array<[string, string | undefined]> = [
    ['/v1/jobs', '/v1/jobs'],
    ['/v1/jobs/', '/v1/jobs'],
    ['/V1/Jobs/', '/v1/jobs'],
    ['/v1/jobs:batch', '/v1/jobs:batch'],
    ['/v1/jobs/steps.1', '/v1/jobs/{id}'],
    ['/v1/jobs/steps.1/events', '/v1/jobs/{id}/events'],
    ['/client/index.js', '/client/*'],
    ['/client/a/b/c', '/client/*'],
    ['/client', '/client/*'],
    ['/', '/'],
    ['/nothing', undefined],
    ['/v1/jobs/a/b/c', undefined],
    ['/__proto__/{id}', undefined],
    ['/v1/jobs/{id}/nothing', undefined],
  ];
  for (const [path, template] of paths) expect([path, find(path)?.template]).toEqual([path, template]);
});

it('names that others choose do not become series', () => {
  const counter = createJobCounter(new Map());
  // Other test files of this process may have counted before.
  const failed = () => jobsFinished.at('other', 'failed').value;
  const before = failed();
  for (let i = 0; i < 200; i++) {
    const job = { name: `foreign-${i}`, attempt: 1, startedAt: 1000, finishedAt: 3000 };
    const transition = { event: { event: 'failed', data: {}, end: true }, fence: { attempt: 1, rank: 8 } };
    counter.afterPublish?.(transition, job as never);
    countError(new HeadwayError('unavailable', 'too much', undefined, { members: { limit: `limit-${i}` } }));
  }
  expect(failed() - before).toBe(200);
  expect(jobsFinished.samples().filter(({ labels }) => labels[0]?.startsWith('foreign-'))).toEqual([]);
  const named = limitRefusals.samples().map(({ labels: [limit] }) => limit!);
  expect(named.filter((limit) => limit !== 'other' && !(limit in LIMITS))).toEqual([]);
  expect(limitRefusals.at('other').value).toBeGreaterThanOrEqual(200);
});

it('the time of an event is read from the end of its frame, if it is there', () => {
  const at = 1_790_000_000_123;
  const frame = (data: unknown, end = false): Buffer =>
    Buffer.from(`id: a-1\n${frameBody({ event: 'progress', data, end })}`);
  expect(happenedAt(frame({ percent: 1, at }))).toBe(at);
  expect(happenedAt(frame({ at }, true))).toBe(at);
  for (const data of [
    {},
    { at: 12 },
    { at: `${at}` },
    { at: at / 10 },
    { at, more: 1 },
    { bat: at },
    'at',
    '',
    null,
  ]) {
    expect([data, happenedAt(frame(data))]).toEqual([data, undefined]);
  }
  expect(happenedAt(Buffer.from('}\n\n'))).toBeUndefined();
});
