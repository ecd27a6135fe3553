import {
  type Attributes,
  type Context,
  context,
  DiagLogLevel,
  diag,
  type Link,
  type ProxyTracerProvider,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { MAX_METADATA, type TracedJob, type Tracing, type TracingOptions } from './tracing.js';

/** The headers of W3C Trace Context. No other header of a request, and no other member of metadata, is read. */
const HEADERS = ['traceparent', 'tracestate'];

/** Errors with which BullMQ and Headway hand a job back. The attempt has not failed. */
const HANDED_BACK = new Set(['DelayedError', 'WaitingError', 'WaitingChildrenError', 'RateLimitError']);

/**
 * Loads OpenTelemetry, and sets up the export unless the program has done it. The exporter, the sampler and the resource follow
 * the environment variables of OpenTelemetry.
 * @param protocol the value of `OTEL_EXPORTER_OTLP_PROTOCOL`
 * @param headers for the collector, in addition to those in the environment variables of OpenTelemetry
 */
export async function openTracing(
  { role, embedded, version, log }: TracingOptions,
  protocol: string | undefined,
  headers: Record<string, string>,
): Promise<{ tracing: Tracing; close(): Promise<void> }> {
  const isSetUp =
    (trace.getTracerProvider() as Partial<ProxyTracerProvider>).getDelegateTracer?.('headway') !== undefined;
  const close = embedded || isSetUp ? async () => {} : await setUp();
  return { tracing: createTracing(trace.getTracer('headway', version)), close };

  async function setUp(): Promise<() => Promise<void>> {
    const [{ BatchSpanProcessor, NodeTracerProvider }, resources, { OTLPTraceExporter }] = await Promise.all([
      import('@opentelemetry/sdk-trace-node'),
      import('@opentelemetry/resources'),
      protocol === 'http/json'
        ? import('@opentelemetry/exporter-trace-otlp-http')
        : import('@opentelemetry/exporter-trace-otlp-proto'),
    ]);
    let reported = false;
    const report = (message: string): void => {
      log[reported ? 'debug' : 'warn']({ reason: message.slice(0, 500) }, 'traces could not be exported');
      reported = true;
    };
    const quiet = (): void => {};
    diag.setLogger(
      { error: report, warn: quiet, info: quiet, debug: quiet, verbose: quiet },
      { logLevel: DiagLogLevel.ERROR, suppressOverrideMessage: true },
    );
    const own = resources.resourceFromAttributes({
      'service.name': `headway-${role}`,
      'service.version': version,
    });
    const { envDetector, hostDetector, processDetector } = resources;
    const given = resources.detectResources({ detectors: [hostDetector, processDetector, envDetector] });
    const provider = new NodeTracerProvider({
      resource: resources.defaultResource().merge(own).merge(given),
      spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({ headers }))],
    });
    provider.register();
    return () => provider.shutdown();
  }
}

function createTracing(tracer: Tracer): Tracing {
  const start = (
    name: string,
    kind: SpanKind,
    attributes: Attributes,
    parent: Context,
    links: Link[] = [],
  ): Span => tracer.startSpan(name, { kind, attributes, links }, parent);

  return {
    request(headers, attributes) {
      const span = start('request', SpanKind.SERVER, attributes, contextIn(headers));
      return {
        run: (next) => context.with(trace.setSpan(context.active(), span), next),
        end(method, route, status) {
          span.updateName(route === undefined ? method : `${method} ${route}`);
          if (route !== undefined) span.setAttribute('http.route', route);
          if (status !== undefined) span.setAttribute('http.response.status_code', status);
          if (status !== undefined && status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
          span.end();
        },
      };
    },
    send(job) {
      const above = context.active();
      const span = start(`send ${job.queue}`, SpanKind.PRODUCER, describe(job, 'send'), above);
      return { metadata: metadataOf(trace.setSpan(above, span)), end: (error) => end(span, error) };
    },
    attempt({ attempt, ...job }, metadata, run) {
      const parent = contextOf(metadata);
      const attributes = { ...describe(job, 'process'), 'headway.job.attempt': attempt };
      const span = start(`process ${job.queue}`, SpanKind.CONSUMER, attributes, parent);
      return within(span, parent, run);
    },
    watch(job, metadata) {
      const request = trace.getSpanContext(context.active());
      const links = request ? [{ context: request }] : [];
      const span = start(
        `watch ${job.queue}`,
        SpanKind.CONSUMER,
        describe(job, 'receive'),
        contextOf(metadata),
        links,
      );
      return () => span.end();
    },
    call(attributes, call) {
      const parent = context.active();
      const span = start('POST', SpanKind.CLIENT, { 'http.request.method': 'POST', ...attributes }, parent);
      return within(span, parent, async () => {
        const headers: Record<string, string> = {};
        propagation.inject(context.active(), headers);
        const status = await call(headers);
        span.setAttribute('http.response.status_code', status);
        if (status >= 400) span.setStatus({ code: SpanStatusCode.ERROR });
        return status;
      });
    },
    bind: (work) => context.bind(context.active(), work),
  };
}

/** The attributes of a job, as in the semantic conventions for messaging. */
const describe = ({ id, kind, queue }: TracedJob, operation: string): Attributes => ({
  'messaging.system': 'bullmq',
  'messaging.operation.type': operation,
  'messaging.destination.name': queue,
  'messaging.message.id': id,
  'headway.job.kind': kind,
});

async function within<T>(span: Span, parent: Context, work: () => Promise<T>): Promise<T> {
  try {
    const result = await context.with(trace.setSpan(parent, span), work);
    end(span);
    return result;
  } catch (error) {
    end(span, error);
    throw error;
  }
}

function end(span: Span, error?: unknown): void {
  if (error !== undefined && !(error instanceof Error && HANDED_BACK.has(error.name))) {
    const { name = 'Error', message = String(error) } = (error ?? {}) as Partial<Error>;
    // The message may contain data of the job: it is what viewers of the job see, and no more.
    span.recordException({ name, message: message.slice(0, 1000) });
    span.setStatus({ code: SpanStatusCode.ERROR, message: message.slice(0, 1000) });
  }
  span.end();
}

/** Returns the context in headers, or in the metadata of a job. Anything else counts as none. */
function contextIn(given: Record<string, unknown>): Context {
  const carrier = Object.fromEntries(
    HEADERS.flatMap((name) => (typeof given[name] === 'string' ? [[name, given[name]]] : [])),
  );
  return propagation.extract(ROOT_CONTEXT, carrier);
}

function contextOf(metadata: string | undefined): Context {
  if (metadata === undefined || metadata.length > MAX_METADATA) return ROOT_CONTEXT;
  try {
    const given: unknown = JSON.parse(metadata);
    return typeof given === 'object' && given !== null
      ? contextIn(given as Record<string, unknown>)
      : ROOT_CONTEXT;
  } catch {
    return ROOT_CONTEXT;
  }
}

function metadataOf(of: Context): string {
  const carrier: Record<string, string> = {};
  propagation.inject(of, carrier);
  return JSON.stringify(carrier);
}
