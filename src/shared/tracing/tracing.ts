/**
 * Traces of this process (OpenTelemetry). Off by default: then {@link tracing} returns `undefined`, and no package is loaded.
 * The context travels with a job in BullMQ's own field `tm` (the option `telemetry.metadata`), in the form of `bullmq-otel`: a
 * JSON object with the headers of W3C Trace Context. So traces continue through workers and producers of other programs.
 */
export interface Tracing {
  /** Starts the span of a request. Its parent is the `traceparent` of the request, if it has one. */
  request(headers: Record<string, unknown>, attributes: SpanAttributes): RequestSpan;
  /** Starts the span of a job that is being queued. */
  send(job: TracedJob): SendSpan;
  /** Runs an attempt in a span of its own. All attempts of a job have the same parent. */
  attempt<T>(
    job: TracedJob & { attempt: number },
    metadata: string | undefined,
    run: () => Promise<T>,
  ): Promise<T>;
  /** Starts the span of a stream, in the trace of its job. @returns a function that ends it */
  watch(job: TracedJob, metadata: string | undefined): () => void;
  /** Runs an HTTP call in a span of its own. @param call gets the headers of the call */
  call(
    attributes: SpanAttributes,
    call: (headers: Record<string, string>) => Promise<number>,
  ): Promise<number>;
  /** Makes a function run in the current context, from wherever it is called. */
  bind<A extends unknown[], R>(work: (...args: A) => R): (...args: A) => R;
}

export type SpanAttributes = Record<string, string | number | boolean>;

export interface TracedJob {
  id: string;
  kind: string;
  queue: string;
}

export interface RequestSpan {
  /** Runs the rest of the request in the span. */
  run(next: () => void): void;
  /**
   * @param route the template of the path; `undefined` for an unknown path
   * @param status `undefined` if the client left before the answer
   */
  end(method: string, route: string | undefined, status: number | undefined): void;
}

export interface SendSpan {
  /** The metadata for the job. */
  metadata: string;
  /** @param error why the job could not be queued */
  end(error?: unknown): void;
}

interface Log {
  warn(fields: object, message: string): void;
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
}

export interface TracingOptions {
  role: 'api' | 'worker';
  /** Whether the process belongs to another program, which sets up OpenTelemetry itself. */
  embedded: boolean;
  version: string;
  log: Log;
}

let current: Tracing | undefined;

/** Returns the tracing of this process; `undefined` while it is off. */
export const tracing = (): Tracing | undefined => current;

/** Turns tracing on or off. */
export function setTracing(to: Tracing | undefined): void {
  current = to;
}

/** The longest metadata that is read from a job. Other programs may have written anything there. */
export const MAX_METADATA = 4096;

/** Returns the metadata in the BullMQ options of a stored job. */
export function traceOf(options: unknown): string | undefined {
  const { tm } = (options ?? {}) as { tm?: unknown };
  return typeof tm === 'string' && tm.length <= MAX_METADATA ? tm : undefined;
}

/** Returns the option for BullMQ that stores the metadata with a job. */
export const telemetryOption = (metadata: string | undefined): { telemetry?: { metadata: string } } =>
  metadata === undefined ? {} : { telemetry: { metadata } };
