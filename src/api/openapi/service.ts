import { z } from 'zod';
import { named } from './components.js';
import { json, type Operation } from './operation.js';

const TAG = 'Service';

const health = named(
  'Health',
  z.object({
    status: z.enum(['ok', 'ready']),
    version: z.string().optional().describe('Of `/healthz`: major and minor version of the service'),
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
      304: { description: 'It is the one that `If-None-Match` names', headers: ['ETag'] },
    },
  };
}

/** What is about the service itself. */
export const serviceOperations: Operation[] = [
  {
    method: 'get',
    path: '/healthz',
    id: 'health',
    tag: TAG,
    summary: 'Whether the process runs',
    access: 'open',
    answers: { 200: { description: 'It runs', content: json(health, { status: 'ok', version: '0.1' }) } },
  },
  {
    method: 'get',
    path: '/readyz',
    id: 'readiness',
    tag: TAG,
    summary: 'Whether it can serve',
    access: 'open',
    answers: { 200: { description: 'Redis answers', content: json(health, { status: 'ready' }) } },
    errors: ['unavailable'],
  },
  documentOperation('/openapi.json', 'openapi', 'This document'),
  documentOperation('/asyncapi.json', 'asyncapi', 'The streams, as an AsyncAPI document'),
];
