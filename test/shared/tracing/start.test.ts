import { expect, it } from 'vitest';
import { startTracing } from '../../../src/shared/tracing/start.js';
import { traceOf, tracing } from '../../../src/shared/tracing/tracing.js';

const HERE = 'http://127.0.0.1:4318';

it.each<[string, Record<string, string>, string[]]>([
  ['nothing is set', {}, []],
  ['the endpoint is empty', { OTEL_EXPORTER_OTLP_ENDPOINT: '' }, []],
  ['the SDK is disabled', { OTEL_EXPORTER_OTLP_ENDPOINT: HERE, OTEL_SDK_DISABLED: 'TRUE' }, []],
  ['traces are not exported', { OTEL_EXPORTER_OTLP_ENDPOINT: HERE, OTEL_TRACES_EXPORTER: 'none' }, []],
  [
    'the endpoint is no URL of HTTP',
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' },
    ['tracing is off: OTEL_EXPORTER_OTLP_ENDPOINT must be an http:// or https:// URL'],
  ],
  [
    'its headers cannot be read',
    { OTEL_EXPORTER_OTLP_ENDPOINT: HERE, OTEL_EXPORTER_OTLP_HEADERS_FILE: '/dev/null/none' },
    ['tracing is off: OTEL_EXPORTER_OTLP_HEADERS_FILE: cannot read /dev/null/none (ENOTDIR)'],
  ],
])('tracing is off if %s', async (_what, env, lines) => {
  const warned: string[] = [];
  const log = {
    info: () => {},
    debug: () => {},
    warn: (_fields: object, line: string) => void warned.push(line),
  };
  const stop = await startTracing({ role: 'api', embedded: false, version: '1', log }, env);
  expect(tracing()).toBeUndefined();
  expect(warned).toEqual(lines);
  await stop();
});

it('metadata of another program counts only as text of a sane length', () => {
  expect(traceOf({ tm: '{}' })).toBe('{}');
  for (const options of [undefined, null, 7, {}, { tm: 7 }, { tm: {} }, { tm: 'x'.repeat(5000) }]) {
    expect(traceOf(options)).toBeUndefined();
  }
});
