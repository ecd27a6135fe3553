import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { until } from './until.js';

/** A span as it was exported (OTLP/HTTP with JSON). */
export interface ExportedSpan {
  traceId: string;
  spanId: string;
  parentSpanId: string;
  traceState: string;
  name: string;
  /** 2 SERVER, 3 CLIENT, 4 PRODUCER, 5 CONSUMER */
  kind: number;
  /** 2 ERROR */
  status: { code?: number; message?: string };
  attributes: Record<string, string | number>;
  links: Array<{ traceId: string; spanId: string }>;
  /** The name of the service that exported it. */
  service: string;
}

/** A collector of OpenTelemetry. */
export interface Collector {
  url: string;
  spans: ExportedSpan[];
  /** The content types of all exports. */
  types: Set<string | undefined>;
  /** The headers of the last export. */
  headers: IncomingHttpHeaders;
  /** How it answers from now on: not at all, or with a status. */
  answer: number | 'never';
  /** How many exports have arrived. */
  exports: number;
  /** Waits until spans fulfil a condition. */
  has<T>(what: string, condition: (spans: ExportedSpan[]) => T): Promise<NonNullable<T>>;
  stop(): void;
}

type Attribute = { key: string; value: { stringValue?: string; intValue?: number | string } };

const attributesOf = (list: Attribute[] = []): Record<string, string | number> =>
  Object.fromEntries(
    list.map(({ key, value: { stringValue, intValue } }) => [key, stringValue ?? Number(intValue)]),
  );

export async function startCollector(): Promise<Collector> {
  const server = createServer((req, res) => {
    let body = '';
    req.setEncoding('utf8').on('data', (chunk) => (body += chunk));
    req.on('end', () => {
      collector.exports++;
      collector.types.add(req.headers['content-type']);
      collector.headers = req.headers;
      if (collector.answer === 'never') return;
      if (collector.answer === 200 && req.headers['content-type'] === 'application/json') {
        collector.spans.push(...spansIn(JSON.parse(body)));
      }
      res.writeHead(collector.answer, { 'Content-Type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const collector: Collector = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans: [],
    types: new Set(),
    headers: {},
    answer: 200,
    exports: 0,
    has: (what, condition) =>
      until(
        () => `${what}; there are ${collector.spans.map(({ name }) => name).join(', ')}`,
        () => condition(collector.spans),
      ),
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
  return collector;
}

// biome-ignore lint/suspicious/noExplicitAny: the JSON of OTLP
function spansIn({ resourceSpans }: any): ExportedSpan[] {
  // biome-ignore lint/suspicious/noExplicitAny: the JSON of OTLP
  return resourceSpans.flatMap(({ resource, scopeSpans }: any) =>
    // biome-ignore lint/suspicious/noExplicitAny: the JSON of OTLP
    scopeSpans.flatMap(({ spans }: any) =>
      // biome-ignore lint/suspicious/noExplicitAny: the JSON of OTLP
      spans.map((span: any) => ({
        parentSpanId: '',
        traceState: '',
        status: {},
        links: [],
        ...span,
        attributes: attributesOf(span.attributes),
        service: attributesOf(resource.attributes)['service.name'],
      })),
    ),
  );
}
