import { z } from 'zod';
import type { ErrorCode } from '../../shared/errors.js';
import { ref } from './components.js';
import type { JsonSchema } from './json-schema.js';
import { type Parameter, type ParameterName, parameterRef, type ResponseHeader } from './parameters.js';
import { problems } from './problems.js';
import { type AccessKind, securityOf } from './security.js';

/** What a body is, by its media type. */
export type Content = Record<string, { schema: JsonSchema; example?: unknown }>;

/** One way in which an operation is answered that is no error. */
export interface Answer {
  description: string;
  content?: Content;
  headers?: ResponseHeader[];
}

/** One operation of the API. What many have in common (security, errors) is made from `access` and the body. */
export interface Operation {
  method: 'get' | 'post' | 'patch' | 'delete';
  /** As in OpenAPI: `/v1/jobs/{id}`. */
  path: string;
  /** Unique; generated clients name their functions like it. */
  id: string;
  tag: string;
  summary: string;
  description?: string;
  access: AccessKind;
  parameters?: Array<ParameterName | Parameter>;
  body?: { content: Content; required?: false };
  answers: Record<number, Answer>;
  /** Codes that it has beside those of all like it. */
  errors?: ErrorCode[];
  /** Names of events that its stream can have, with their data. */
  events?: Record<string, JsonSchema>;
}

/** A JSON body. */
export const json = (schema: z.ZodType | JsonSchema, example?: unknown): Content => ({
  'application/json': {
    schema: schema instanceof z.ZodType ? ref(schema) : schema,
    ...(example === undefined ? {} : { example }),
  },
});

/** The Operation Object of OpenAPI. */
export function operationObject(operation: Operation): Record<string, unknown> {
  const { id, tag, summary, description, access, parameters = [], body, answers, events } = operation;
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
  };
}

function response({ description, content, headers }: Answer): Record<string, unknown> {
  return {
    description,
    ...(headers
      ? {
          headers: Object.fromEntries(
            headers.map((name) => [name, { $ref: `#/components/headers/${name}` }]),
          ),
        }
      : {}),
    ...(content ? { content } : {}),
  };
}

const ADMIN: ErrorCode[] = ['sign-in', 'forbidden'];
const JOB: ErrorCode[] = ['not-found', 'gone'];
const JSON_BODY: ErrorCode[] = [
  'invalid-json',
  'invalid-request',
  'body-too-large',
  'unsupported-media-type',
];

/** Every code that an operation can be answered with. */
function codesOf({ method, access, body, errors = [] }: Operation): ErrorCode[] {
  return [
    ...new Set<ErrorCode>([
      ...errors,
      ...(body?.content['application/json'] ? JSON_BODY : []),
      ...(access === 'open' ? [] : (['invalid-token', 'unavailable', 'internal'] as const)),
      ...(access === 'admin' ? ADMIN : []),
      ...(access === 'job' ? JOB : []),
      ...(method === 'get' ? [] : (['cross-site'] as const)),
    ]),
  ];
}
