import { loadOptional, MissingPackageError } from '../process/optional-packages.js';
import { collectorHeaders } from './collector-headers.js';
import { setTracing, type TracingOptions, tracing } from './tracing.js';

/** How long the end of a process waits for the last spans to be exported, in ms. */
const FLUSH_MS = 2000;

/**
 * Turns tracing on if the environment names a collector (`OTEL_EXPORTER_OTLP_ENDPOINT`, or the same for traces only). A
 * mistake there, or a collector that is away or slow, never keeps the process from working: it is logged.
 * @returns a function that exports the last spans, within two seconds
 */
export async function startTracing(options: TracingOptions, env = process.env): Promise<() => Promise<void>> {
  const endpoint = env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT || env.OTEL_EXPORTER_OTLP_ENDPOINT;
  const off = env.OTEL_SDK_DISABLED?.toLowerCase() === 'true' || env.OTEL_TRACES_EXPORTER === 'none';
  // The API and the worker of one program share the tracing of the process.
  if (!endpoint || off || tracing()) return async () => {};
  const { log } = options;
  if (!URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol)) {
    log.warn({ endpoint }, 'tracing is off: OTEL_EXPORTER_OTLP_ENDPOINT must be an http:// or https:// URL');
    return async () => {};
  }
  const { headers, problems } = collectorHeaders(env);
  if (problems.length > 0) {
    log.warn({}, `tracing is off: ${problems.join('; ')}`);
    return async () => {};
  }
  try {
    const opened = await loadOptional('tracing', async () => {
      const { openTracing } = await import('./open-telemetry.js');
      return openTracing(options, env.OTEL_EXPORTER_OTLP_PROTOCOL, headers);
    });
    setTracing(opened.tracing);
    log.info({}, 'tracing is on');
    return async () => {
      setTracing(undefined);
      const late = new Promise<void>((resolve) => setTimeout(resolve, FLUSH_MS).unref());
      await Promise.race([opened.close(), late]).catch((error: unknown) =>
        log.debug({ err: error }, 'could not export the last spans'),
      );
    };
  } catch (error) {
    if (error instanceof MissingPackageError) log.warn({}, `tracing is off: ${error.message}`);
    else log.warn({ err: error }, 'tracing is off: OpenTelemetry could not be loaded');
    return async () => {};
  }
}
