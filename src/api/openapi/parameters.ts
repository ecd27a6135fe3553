import { MAX_CHANNELS } from '../stream/multiplexed.js';
import { MAX_WAIT_S } from '../stream/poll-request.js';
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

/** Returns a path parameter. */
export const inPath = (name: string, description: string, example?: string): Parameter => ({
  name,
  in: 'path',
  required: true,
  description,
  schema: { type: 'string' },
  ...(example === undefined ? {} : { example }),
});

/** The parameters that several operations share, by component name. */
export const parameters = {
  jobId: inPath('id', 'Job id'),
  scheduleId: inPath('id', 'Schedule id'),
  idempotencyKey: {
    name: 'Idempotency-Key',
    in: 'header',
    description:
      'Makes the request safe to repeat: with the same key and body, the answer is the same, and nothing is started or published twice. Keep the key secret. At least 16 characters if unauthenticated.',
    schema: { type: 'string', pattern: '^[\\x21-\\x7e]{1,255}$' },
  },
  lastEventIdHeader: {
    name: 'Last-Event-ID',
    in: 'header',
    description: 'The id of the last event received. `EventSource` sends it automatically.',
    schema: { type: 'string' },
  },
  lastEventId: {
    name: 'lastEventId',
    in: 'query',
    description: 'Alternative to the header `Last-Event-ID`, for clients that cannot send headers.',
    schema: { type: 'string' },
  },
  after: {
    name: 'after',
    in: 'query',
    description: 'Alternative to `lastEventId`, or the `after` of the last answer to a long poll.',
    schema: { type: 'string' },
  },
  wait: {
    name: 'wait',
    in: 'query',
    description: `Makes the request a long poll: it is answered at the first event after \`after\`, and otherwise after this many seconds, 0 to ${MAX_WAIT_S}.`,
    schema: { type: 'string', pattern: '^[0-9]{1,2}$' },
  },
  retries: {
    name: 'retries',
    in: 'query',
    description: 'Keeps the stream open after a job has ended, to receive the events of a retry.',
    schema: { type: 'string', enum: ['follow'] },
  },
} as const satisfies Record<string, Parameter>;

export type ParameterName = keyof typeof parameters;

/** The two parameters that resume a stream. */
export const RESUME = ['lastEventIdHeader', 'lastEventId'] as const satisfies ParameterName[];

/** The parameters of a stream that can also be polled. */
export const RESUME_OR_POLL = [...RESUME, 'after', 'wait'] as const satisfies ParameterName[];

/** Returns a query parameter that can be repeated: `?name=a&name=b`. */
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

/** Returns a parameter as an operation lists it. */
export const parameterRef = (parameter: ParameterName | Parameter): unknown =>
  typeof parameter === 'string' ? { $ref: `#/components/parameters/${parameter}` } : parameter;

const text = (description: string, required = true) => ({
  description,
  ...(required ? { required: true } : {}),
  schema: { type: 'string' },
});

/** The response headers, by name. */
export const responseHeaders = {
  Location: text('The path of the created resource'),
  'Retry-After': text('Seconds to wait before trying again'),
  'WWW-Authenticate': text('The accepted authentication scheme (RFC 6750, RFC 7617)'),
  'Set-Cookie': text('The visitor cookie, if the caller was unidentified', false),
  ETag: text('Changes when the content changes', false),
  'Content-Disposition': text('The file name', false),
  'Content-Range': text('The range that is sent, or the size of the file'),
};

export type ResponseHeader = keyof typeof responseHeaders;
