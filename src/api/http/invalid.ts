import type { StandardSchemaV1 } from '@standard-schema/spec';
import { type FieldError, HeadwayError } from '../../shared/errors.js';
import { validate } from '../../shared/jobs/schema.js';

/**
 * Validates a part of a request.
 * @param whole the name of the part, for errors that concern no single field. Defaults to `The body`.
 * @returns the output of the schema
 * @throws HeadwayError `invalid-request` with what is wrong and where
 */
export async function requireValid<S extends StandardSchemaV1>(
  schema: S,
  value: unknown,
  whole = 'The body',
): Promise<StandardSchemaV1.InferOutput<S>> {
  const parsed = await validate(schema, value);
  if (parsed.errors) throw invalid(parsed.errors, whole);
  return parsed.value;
}

/** Returns the error for a request with these invalid fields. */
export function invalid(errors: FieldError[], whole = 'The body'): HeadwayError {
  return new HeadwayError('invalid-request', firstError(errors, whole), errors);
}

/** Returns the first error as text. @param whole the name of the whole value, for an error without a pointer */
export function firstError([first]: FieldError[], whole = ''): string {
  return first ? `${first.pointer || whole}: ${first.detail}` : `${whole}: is invalid`;
}
