import { z } from 'zod';
import { RANGES } from '../../shared/dashboard/hours.js';
import { named } from './components.js';
import { json, type Operation } from './operation.js';

const TAG = 'Service';

const health = named(
  'Health',
  z.object({
    status: z.enum(['ok', 'ready']),
    version: z.string().optional().describe('`/healthz` only: the major and minor version of the service'),
    files: z
      .enum(['ok', 'unavailable'])
      .optional()
      .describe('`/readyz` only, with `FILES_URL`: whether the file storage answers'),
  }),
);

const count = z.number().int();
const quantile = z.number().int().nullable();

const history = named(
  'History',
  z.object({
    range: z.enum(Object.keys(RANGES)),
    at: z.number().describe('When it was read, ms since 1970'),
    hours: z
      .array(z.tuple([count, count, count, count, quantile, quantile, quantile, quantile]))
      .describe(
        'Each hour that was counted, oldest first: the hour (hours since 1970), completed, failed, cancelled, p50 and p95 of the wait time, p50 and p95 of the run time (ms; `null` without jobs). A missing hour was not counted.',
      ),
  }),
);

function documentOperation(path: string, id: string, summary: string): Operation {
  return {
    method: 'get',
    path,
    id,
    tag: TAG,
    summary,
    access: 'open',
    answers: {
      200: { description: 'The document', headers: ['ETag'], content: json({ type: 'object' }) },
      304: { description: 'The document matches `If-None-Match`', headers: ['ETag'] },
    },
  };
}

/** Operations about the service itself. */
export const serviceOperations: Operation[] = [
  {
    method: 'get',
    path: '/healthz',
    id: 'health',
    tag: TAG,
    summary: 'Check that the process is running',
    access: 'open',
    answers: {
      200: { description: 'The process is running', content: json(health, { status: 'ok', version: '0.1' }) },
    },
  },
  {
    method: 'get',
    path: '/readyz',
    id: 'readiness',
    tag: TAG,
    summary: 'Check that the service is ready',
    access: 'open',
    answers: { 200: { description: 'Redis accepts writes', content: json(health, { status: 'ready' }) } },
    errors: ['unavailable'],
  },
  {
    method: 'get',
    path: '/v1/dashboard/history',
    id: 'dashboardHistory',
    tag: TAG,
    summary: 'Get the ended jobs of each hour',
    access: 'admin',
    parameters: [
      {
        name: 'range',
        in: 'query',
        description: 'How far back',
        schema: { type: 'string', enum: Object.keys(RANGES), default: '24h' },
      },
      {
        name: 'name',
        in: 'query',
        description: 'Only this kind of job',
        schema: { type: 'string', maxLength: 200 },
      },
    ],
    answers: { 200: { description: 'The history', content: json(history) } },
    errors: ['invalid-request'],
  },
  {
    method: 'get',
    path: '/metrics',
    id: 'metrics',
    tag: TAG,
    summary: 'Read the metrics of the process',
    description:
      'In the text format of Prometheus 0.0.4, or OpenMetrics 1.0.0 if the client accepts it. The port of the metrics serves the same without authentication. An embedded API does not handle this path.',
    access: 'admin',
    answers: {
      200: {
        description: 'The metrics',
        content: {
          'text/plain': { schema: { type: 'string' } },
          'application/openmetrics-text': { schema: { type: 'string' } },
        },
      },
    },
  },
  documentOperation('/openapi.json', 'openapi', 'This document'),
  documentOperation('/asyncapi.json', 'asyncapi', 'The AsyncAPI document of the streams'),
];
