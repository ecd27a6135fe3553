import { MAX_CHANNELS } from '../stream/multiplexed.js';
import type { JsonSchema } from './json-schema.js';

/** A Parameter Object of OpenAPI. */
export interface Parameter {
  name: string;
  in: 'path' | 'query' | 'header';
  description: string;
  required?: boolean;
  schema: JsonSchema;
  example?: unknown;
}

/** A part of the path. */
export const inPath = (name: string, description: string, example?: string): Parameter => ({
  name,
  in: 'path',
  required: true,
  description,
  schema: { type: 'string' },
  ...(example === undefined ? {} : { example }),
});

/** The parameters that several operations have, by their names in the document. */
export const parameters = {
  jobId: inPath('id', 'The id of a job'),
  scheduleId: inPath('id', 'The id of a schedule'),
  idempotencyKey: {
    name: 'Idempotency-Key',
    in: 'header',
    description:
      'The same key with the same body gives the same response, and nothing is started or published twice. The key is a secret. At least 16 characters if unauthenticated.',
    schema: { type: 'string', pattern: '^[\\x21-\\x7e]{1,255}$' },
  },
  lastEventIdHeader: {
    name: 'Last-Event-ID',
    in: 'header',
    description: 'The id of the last event that the viewer has seen; `EventSource` sends it by itself.',
    schema: { type: 'string' },
  },
  lastEventId: {
    name: 'lastEventId',
    in: 'query',
    description: 'The same, for clients that cannot send the header.',
    schema: { type: 'string' },
  },
  retries: {
    name: 'retries',
    in: 'query',
    description: 'The stream stays open after the end of a job, so that a retry is seen on it.',
    schema: { type: 'string', enum: ['follow'] },
  },
} as const satisfies Record<string, Parameter>;

export type ParameterName = keyof typeof parameters;

/** The two ways to say what a viewer has seen. */
export const RESUME = ['lastEventIdHeader', 'lastEventId'] as const satisfies ParameterName[];

/** A parameter that may be given several times: `?name=a&name=b`. */
export const several = (
  name: string,
  description: string,
  items: JsonSchema = { type: 'string' },
  { min = 0, max = MAX_CHANNELS } = {},
): Parameter => ({
  name,
  in: 'query',
  description,
  ...(min > 0 ? { required: true } : {}),
  schema: { type: 'array', items, ...(min > 0 ? { minItems: min } : {}), maxItems: max },
});

/** A parameter as it is in an operation. */
export const parameterRef = (parameter: ParameterName | Parameter): unknown =>
  typeof parameter === 'string' ? { $ref: `#/components/parameters/${parameter}` } : parameter;

const text = (description: string, required = true) => ({
  description,
  ...(required ? { required: true } : {}),
  schema: { type: 'string' },
});

/** The headers of answers, by name. */
export const responseHeaders = {
  Location: text('Where what was made is'),
  'Retry-After': text('When to try again, in seconds'),
  'WWW-Authenticate': text('How to say who is calling (RFC 6750, RFC 7617)'),
  'Set-Cookie': text('The cookies of the visitor and of the job, where they are set', false),
  ETag: text('Changes with the content', false),
  'Content-Disposition': text('The name of a file', false),
  'Content-Range': text('Which part it is'),
};

export type ResponseHeader = keyof typeof responseHeaders;
