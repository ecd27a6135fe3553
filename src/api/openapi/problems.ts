import { z } from 'zod';
import { type ErrorCode, errorCodes, HeadwayError } from '../../shared/errors.js';
import { JOB_STATES } from '../../shared/jobs/states.js';
import { LIMITS, type LimitName } from '../limits/names.js';
import { named, ref } from './components.js';

const limitNames = Object.keys(LIMITS) as [LimitName, ...LimitName[]];
const codes = Object.keys(errorCodes) as [ErrorCode, ...ErrorCode[]];

/** The schema of every error. */
export const problemSchema = named(
  'Problem',
  z
    .object({
      type: z.string().describe('`urn:headway:problem:` followed by the code'),
      title: z.string(),
      status: z.number().int(),
      detail: z.string().describe('What went wrong and how to fix it'),
      instance: z.string().optional().describe('The requested path'),
      code: z.enum(codes).describe('Stable, for use by programs'),
      requestId: z
        .string()
        .optional()
        .describe('The id of the request, as in the header `X-Request-Id` and in the logs of the service'),
      errors: z
        .array(
          z.object({
            pointer: z.string().describe('JSON Pointer (RFC 6901) into the request body'),
            detail: z.string(),
          }),
        )
        .optional()
        .describe('One entry for each invalid field'),
      limit: z.enum(limitNames).optional().describe('With 429: the name of the limit'),
      max: z.number().int().optional().describe('With 429: the maximum'),
      retryAfterMs: z.number().int().optional().describe('With 429: when to try again, in ms from now'),
      state: z.enum(JOB_STATES).optional().describe('With `gone`: the last state of the job'),
      createdAt: z.number().optional().describe('With `gone`: when the job was created'),
      name: z.string().optional().describe('With `gone`: the kind of job'),
      finishedAt: z.number().optional().describe('With `gone`: when the job ended, if known'),
      attempt: z.number().int().optional().describe('With `gone`: the number of attempts, if known'),
    })
    .describe('An error (RFC 9457)'),
);

/** Returns the Response Objects of errors, one for each status. */
export function problems(given: ErrorCode[]): Record<string, unknown> {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of given) {
    const [status] = errorCodes[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(Array.from(byStatus, ([status, of]) => [status, problemResponse(status, of)]));
}

function problemResponse(status: number, of: ErrorCode[]): Record<string, unknown> {
  return {
    description: of.map((code) => `\`${code}\`: ${errorCodes[code][1]}`).join('\n\n'),
    ...(status === 416
      ? { headers: { 'Content-Range': { $ref: '#/components/headers/Content-Range' } } }
      : {}),
    ...(status === 429 || status === 503
      ? { headers: { 'Retry-After': { $ref: '#/components/headers/Retry-After' } } }
      : {}),
    ...(status === 401
      ? { headers: { 'WWW-Authenticate': { $ref: '#/components/headers/WWW-Authenticate' } } }
      : {}),
    content: {
      'application/problem+json': {
        schema: { allOf: [ref(problemSchema), { properties: { code: { enum: of } } }] },
        examples: Object.fromEntries(of.map((code) => [code, { value: exampleOf(code) }])),
      },
    },
  };
}

const exampleOf = (code: ErrorCode): unknown => new HeadwayError(code, `${errorCodes[code][1]}.`).toProblem();
