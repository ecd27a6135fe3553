import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { plainBullMq } from '../../support/bullmq.js';
import { type Collector, type ExportedSpan, startCollector } from '../../support/collector.js';
import { type Headway, startHeadway } from '../../support/headway.js';
import { inThread, jobsDir } from '../../support/jobs.js';
import { startApi, temporaryFolder } from '../../support/processes.js';
import { type Receiver, startReceiver } from '../../support/receiver.js';
import { openStream } from '../../support/sse.js';
import { until } from '../../support/until.js';

const [SERVER, CLIENT, PRODUCER, CONSUMER] = [2, 3, 4, 5];
const ERROR = 2;

let collector: Collector;
let receiver: Receiver;
let headway: Headway;
beforeAll(async () => {
  collector = await startCollector();
  receiver = await startReceiver();
  headway = await startHeadway({
    env: {
      JOBS_DIR: jobsDir('traced', inThread('traced'), 'family/leaf'),
      WEBHOOK_HOSTS: '127.0.0.1',
      WEBHOOK_ALLOW_PRIVATE: 'true',
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_BSP_SCHEDULE_DELAY: '100',
    },
  });
});
afterAll(async () => {
  await headway?.stop();
  await receiver?.stop();
  collector?.stop();
});

let traces = 0;
/** Returns the headers of a caller that traces, and the ids in them. */
function caller() {
  const traceId = (++traces).toString(16).padStart(32, 'a');
  const spanId = 'b7ad6b7169203331';
  return {
    traceId,
    spanId,
    headers: { traceparent: `00-${traceId}-${spanId}-01`, tracestate: 'vendor=opaque' },
  };
}

const inTrace = (traceId: string, spans: ExportedSpan[]): ExportedSpan[] =>
  spans.filter((span) => span.traceId === traceId);

it.each(['traced', 'traced-thread'])(
  'a request, the attempts of its job %s, its child, its webhook and its stream are one trace',
  async (kind) => {
    const { traceId, spanId, headers } = caller();
    receiver.calls.length = 0;
    const response = await headway.client.post(
      { name: kind, data: { n: 21 }, options: { webhook: { url: receiver.url } } },
      headers,
    );
    expect(response.status).toBe(202);
    const job = (await response.json()) as { id: string; token: string; links: { events: string } };
    const stream = await openStream(`${headway.api.url}${job.links.events}`, { token: job.token });
    await stream.ended;
    expect(stream.events.at(-1)).toMatchObject({ event: 'completed', data: { result: { double: 42 } } });
    const [call] = await receiver.called(1);

    const spans = await collector.has('the trace is complete', (all) => {
      const mine = inTrace(traceId, all);
      return mine.length === 9 ? mine : undefined;
    });
    const one = (name: string, of = spans): ExportedSpan => {
      const found = of.filter((span) => span.name === name);
      expect([name, found.length]).toEqual([name, 1]);
      return found[0]!;
    };
    const [first, second] = spans
      .filter(({ name }) => name === `process ${kind}`)
      .sort(
        (a, b) => Number(a.attributes['headway.job.attempt']) - Number(b.attributes['headway.job.attempt']),
      );
    const request = one('POST /v1/jobs');
    const send = one(`send ${kind}`);
    const [sendChild, child] = [one('send leaf'), one('process leaf')];
    const [hook, post] = [one('process webhook'), one('POST')];
    const watch = one(`watch ${kind}`);
    const tree: Array<[ExportedSpan | undefined, string, number, string]> = [
      [request, spanId, SERVER!, 'headway-api'],
      [send, request.spanId, PRODUCER!, 'headway-api'],
      [first, send.spanId, CONSUMER!, 'headway-worker'],
      [second, send.spanId, CONSUMER!, 'headway-worker'],
      [sendChild, second!.spanId, PRODUCER!, 'headway-worker'],
      [child, sendChild.spanId, CONSUMER!, 'headway-worker'],
      [hook, send.spanId, CONSUMER!, 'headway-worker'],
      [post, hook.spanId, CLIENT!, 'headway-worker'],
      [watch, send.spanId, CONSUMER!, 'headway-api'],
    ];
    for (const [span, parent, spanKind, service] of tree) {
      expect(span).toMatchObject({
        parentSpanId: parent,
        kind: spanKind,
        service,
        traceState: 'vendor=opaque',
      });
    }
    expect(first!.status).toMatchObject({ code: ERROR, message: 'no luck' });
    expect(second!.status.code).not.toBe(ERROR);
    for (const span of [send, first, second, watch]) {
      expect(span!.attributes).toMatchObject({ 'messaging.message.id': job.id, 'headway.job.kind': kind });
    }
    expect(request.attributes).toMatchObject({ 'http.route': '/v1/jobs', 'http.response.status_code': 202 });
    // The stream has a request of its own, with another trace: EventSource cannot send headers.
    expect(watch.links).toHaveLength(1);
    await collector.has('the request of the stream', (all) =>
      all.find((span) => span.spanId === watch.links[0]!.spanId && span.name === 'GET /v1/jobs/{id}/events'),
    );
    // Nothing that leaves the service has a token.
    expect(JSON.stringify(collector.spans)).not.toContain(job.token);
    expect(call!.headers).toMatchObject({
      traceparent: `00-${traceId}-${post.spanId}-01`,
      tracestate: 'vendor=opaque',
    });
    const opts = JSON.parse((await headway.connection.hget(`{headway}:${kind}:${job.id}`, 'opts'))!);
    expect(JSON.parse(opts.tm)).toEqual({
      traceparent: `00-${traceId}-${send.spanId}-01`,
      tracestate: 'vendor=opaque',
    });
  },
);

it('a job of another program continues its trace, and broken metadata begins a new one', async () => {
  const { traceId, spanId, headers } = caller();
  const bullMq = plainBullMq(headway);
  const queue = bullMq.queue('leaf');
  await queue.add('leaf', { n: 1 }, { telemetry: { metadata: JSON.stringify(headers) } });
  const broken = [
    '',
    '{',
    '5',
    'null',
    '{"traceparent":"00-zz"}',
    '{"traceparent":7}',
    `{"a":"${'x'.repeat(9000)}"}`,
  ];
  const jobs = await queue.addBulk(
    broken.map((metadata) => ({ name: 'leaf', data: { n: 2 }, opts: { telemetry: { metadata } } })),
  );
  await bullMq.close();
  const [span] = await collector.has('the attempt is in the trace', (all) => {
    const mine = inTrace(traceId, all);
    return mine.length > 0 ? mine : undefined;
  });
  expect(span).toMatchObject({ name: 'process leaf', parentSpanId: spanId });
  const roots = await collector.has('the others have run', (all) => {
    const theirs = all.filter(({ attributes }) =>
      jobs.some(({ id }) => String(attributes['messaging.message.id']).endsWith(`.${id}`)),
    );
    return theirs.length === broken.length ? theirs : undefined;
  });
  for (const root of roots) expect(root.parentSpanId).toBe('');
});

it('a request with a broken traceparent gets a trace of its own', async () => {
  for (const traceparent of ['00', `00-${'0'.repeat(32)}-b7ad6b7169203331-01`, 'x'.repeat(5000)]) {
    const before = collector.spans.length;
    expect((await fetch(`${headway.api.url}/v1/definitions`, { headers: { traceparent } })).status).toBe(200);
    const span = await collector.has('it is traced', (all) =>
      all.slice(before).find(({ name }) => name === 'GET /v1/definitions'),
    );
    expect(span.parentSpanId).toBe('');
  }
});

it('exports with protobuf by default, with headers from a file, and the last spans when the process ends', async () => {
  const { OTEL_EXPORTER_OTLP_PROTOCOL: _, OTEL_BSP_SCHEDULE_DELAY: __, ...env } = headway.env;
  const OTEL_EXPORTER_OTLP_HEADERS_FILE = join(temporaryFolder(), 'headers');
  writeFileSync(OTEL_EXPORTER_OTLP_HEADERS_FILE, 'authorization=Bearer%20of-a-file\nx-tenant=acme\n');
  const api = await startApi({ ...env, OTEL_EXPORTER_OTLP_HEADERS_FILE });
  // An answer that is not read would keep the process waiting for its client.
  expect(await (await fetch(`${api.url}/v1/definitions`)).text()).toContain('leaf');
  await api.stop();
  expect(api.child.exitCode).toBe(0);
  expect([...collector.types].sort()).toEqual(['application/json', 'application/x-protobuf']);
  expect(collector.headers).toMatchObject({ authorization: 'Bearer of-a-file', 'x-tenant': 'acme' });
});

it('a collector that refuses, is silent or away changes nothing, and a process ends in time', async () => {
  const run = async (): Promise<void> => {
    const job = await headway.client.start('leaf', { n: 3 });
    const stream = await openStream(headway.client.events(job), { token: job.token });
    await stream.ended;
    expect(stream.names().at(-1)).toBe('completed');
  };
  for (const answer of [400, 503, 'never'] as const) {
    collector.answer = answer;
    const before = collector.exports;
    await run();
    await until('spans were sent', () => collector.exports > before);
  }
  collector.stop();
  await run();
  await Promise.all([headway.api, ...headway.workers].map((process) => process.stop()));
  for (const { child } of [headway.api, ...headway.workers]) expect(child.exitCode).toBe(0);
  // One line, however often it fails.
  expect(headway.api.output().match(/traces could not be exported/g)).toHaveLength(1);
});
