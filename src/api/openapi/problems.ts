import { z } from 'zod';
import { type ErrorCode, errorCodes, HeadwayError } from '../../shared/errors.js';
import { JOB_STATES } from '../../shared/jobs/states.js';
import { named, ref } from './components.js';

const codes = Object.keys(errorCodes) as [ErrorCode, ...ErrorCode[]];

/** Every answer that is an error. */
export const problemSchema = named(
  'Problem',
  z
    .object({
      type: z.string().describe('`urn:headway:problem:` and the code'),
      title: z.string(),
      status: z.number().int(),
      detail: z.string().describe('What was wrong, and what to do'),
      instance: z.string().optional().describe('The path that was asked for'),
      code: z.enum(codes).describe('Stable: programs may rely on it'),
      errors: z
        .array(
          z.object({
            pointer: z.string().describe('JSON Pointer (RFC 6901) into the body'),
            detail: z.string(),
          }),
        )
        .optional()
        .describe('One entry for each mistake in the body'),
      state: z.enum(JOB_STATES).optional().describe('With `gone`, of a job: the last state that it had'),
      createdAt: z.number().optional().describe('With `gone`'),
      name: z.string().optional().describe('With `gone`'),
      finishedAt: z.number().optional().describe('With `gone`, unless another tool has removed the job'),
      attempt: z.number().int().optional().describe('With `gone`, unless another tool has removed the job'),
    })
    .describe('What went wrong (RFC 9457)'),
);

/** The Response Objects of errors, by status: one for all codes that have it. */
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
    ...(status === 503 ? { headers: { 'Retry-After': { $ref: '#/components/headers/Retry-After' } } } : {}),
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
