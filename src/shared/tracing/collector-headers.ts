import { hideInLogs } from '../process/redact.js';
import { readSecretFiles } from '../process/secret-files.js';

/** The variables with headers for the collector, such as `authorization=Bearer%20…`. The second one takes precedence. */
const VARIABLES = ['OTEL_EXPORTER_OTLP_HEADERS', 'OTEL_EXPORTER_OTLP_TRACES_HEADERS'];

/**
 * Reads the headers for the collector from the files that `OTEL_EXPORTER_OTLP_HEADERS_FILE` and
 * `OTEL_EXPORTER_OTLP_TRACES_HEADERS_FILE` name. OpenTelemetry itself reads the variables without `_FILE`. The values of all
 * of them are hidden in the logs.
 * @returns the headers in files, and one line per mistake
 */
export function collectorHeaders(env: Record<string, string | undefined>): {
  headers: Record<string, string>;
  problems: string[];
} {
  const { secrets, problems } = readSecretFiles(env, VARIABLES);
  const inFiles = VARIABLES.flatMap((name) => pairs([secrets[name] ?? []].flat().join(',')));
  const inVariables = VARIABLES.flatMap((name) => pairs(env[name] ?? ''));
  // Of `Bearer …`, the second word is the secret.
  for (const [, value] of [...inFiles, ...inVariables]) hideInLogs(value, value.replace(/^\S+ +/, ''));
  return { headers: Object.fromEntries(inFiles), problems };
}

/** Parses a list of headers: comma-separated `name=value`, with percent encoding. */
function pairs(list: string): Array<[name: string, value: string]> {
  return list.split(',').flatMap((pair) => {
    const [name = '', value = ''] = pair.split(/=(.*)/s, 2).map((part) => decoded(part.trim()));
    return name && value ? [[name, value] as const] : [];
  }) as Array<[string, string]>;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
