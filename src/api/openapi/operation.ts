import { z } from 'zod';
import type { ErrorCode } from '../../shared/errors.js';
import { ref } from './components.js';
import type { JsonSchema } from './json-schema.js';
import { type Parameter, type ParameterName, parameterRef, type ResponseHeader } from './parameters.js';
import { problems } from './problems.js';
import { type AccessKind, securityOf } from './security.js';

/** The schemas of a body, by media type. */
export type Content = Record<string, { schema: JsonSchema; example?: unknown }>;

/** A successful answer of an operation. */
export interface Answer {
  description: string;
  content?: Content;
  headers?: Array<ResponseHeader | OwnHeader>;
}

/** A header that only this answer has, and not always. */
export interface OwnHeader {
  name: string;
  description: string;
}

/**
 * An operation of the API. Its security and the common error codes are derived from `access` and the body. What it
 * says of its route (`startsWork`, `audit`, a stream as its response) is known before the route is called: see
 * `src/api/routes/table.ts`.
 */
export type Operation = OperationBase & (Reading | Changing);

interface Reading {
  method: 'get';
  audit?: undefined;
  startsWork?: undefined;
}

interface Changing {
  method: 'post' | 'patch' | 'delete';
  /**
   * What the audit log calls it, `<kind of target>.<verb>`; the target is the first parameter of the path. `false` if it is not
   * recorded.
   */
  audit: `${string}.${string}` | false;
  /** Whether it starts new work, which an overloaded process refuses. */
  startsWork?: true;
}

interface OperationBase {
  /** As in OpenAPI: `/v1/jobs/{id}`. */
  path: string;
  /** Unique. Generated clients use it as the name of a function. */
  id: string;
  tag: string;
  summary: string;
  description?: string;
  access: AccessKind;
  parameters?: Array<ParameterName | Parameter>;
  body?: { content: Content; required?: false };
  answers: Record<number, Answer>;
  /** Further error codes, beyond the common ones. */
  errors?: ErrorCode[];
  /** The events of its stream, by name, with the schemas of their data. */
  events?: Record<string, JsonSchema>;
  /** The schemas of the custom events that kinds of job declare, by the name of the kind. */
  customEvents?: Record<string, JsonSchema>;
}

/** Returns the content of a JSON body. */
export const json = (schema: z.ZodType | JsonSchema, example?: unknown): Content => ({
  'application/json': {
    schema: schema instanceof z.ZodType ? ref(schema) : schema,
    ...(example === undefined ? {} : { example }),
  },
});

/** Whether an operation is answered with an event stream. */
export const isStream = ({ answers }: Operation): boolean =>
  answers[200]?.content?.['text/event-stream'] !== undefined;

/** Returns the Operation Object of OpenAPI. */
export function operationObject(operation: Operation): Record<string, unknown> {
  const {
    id,
    tag,
    summary,
    description,
    access,
    parameters = [],
    body,
    answers,
    events,
    customEvents,
  } = operation;
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description ? { description } : {}),
    security: securityOf(access),
    ...(parameters.length > 0 ? { parameters: parameters.map(parameterRef) } : {}),
    ...(body ? { requestBody: { required: body.required ?? true, content: body.content } } : {}),
    responses: {
      ...Object.fromEntries(Object.entries(answers).map(([status, answer]) => [status, response(answer)])),
      ...problems(codesOf(operation)),
    },
    ...(events ? { 'x-events': events } : {}),
    ...(customEvents ? { 'x-custom-events': customEvents } : {}),
  };
}

function response({ description, content, headers }: Answer): Record<string, unknown> {
  return {
    description,
    ...(headers
      ? {
          headers: Object.fromEntries(
            headers.map((header) =>
              typeof header === 'string'
                ? [header, { $ref: `#/components/headers/${header}` }]
                : [header.name, { description: header.description, schema: { type: 'string' } }],
            ),
          ),
        }
      : {}),
    ...(content ? { content } : {}),
  };
}

const ADMIN: ErrorCode[] = ['forbidden'];
const JOB: ErrorCode[] = ['not-found', 'gone'];
const JSON_BODY: ErrorCode[] = [
  'invalid-json',
  'invalid-request',
  'body-too-large',
  'unsupported-media-type',
];

/** The health checks. They accept any `Host`, and have no limit. */
const HEALTH = ['/healthz', '/readyz'];

/** All error codes of an operation. */
function codesOf(operation: Operation): ErrorCode[] {
  const { method, path, access, body, errors = [] } = operation;
  return [
    ...new Set<ErrorCode>([
      ...errors,
      ...(body?.content['application/json'] ? JSON_BODY : []),
      ...(access === 'open' ? [] : (['invalid-token', 'sign-in', 'unavailable', 'internal'] as const)),
      ...(isStream(operation) || operation.startsWork || path === '/readyz' ? (['overloaded'] as const) : []),
      ...(access === 'admin' ? ADMIN : []),
      ...(access === 'job' ? JOB : []),
      ...(method === 'get' ? [] : (['cross-site'] as const)),
      ...(HEALTH.includes(path) ? [] : (['unknown-host', 'rate-limited'] as const)),
    ]),
  ];
}
