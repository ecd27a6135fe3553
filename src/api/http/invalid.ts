import type { StandardSchemaV1 } from '@standard-schema/spec';
import { type FieldError, HeadwayError } from '../../shared/errors.js';
import { validate } from '../../shared/jobs/schema.js';

/**
 * What a request says, as its schema gives it.
 * @param whole what the value is called where the mistake is not in one of its fields
 * @throws HeadwayError `invalid-request` that says what is wrong, and where
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

/** The answer to a request with these mistakes. */
export function invalid(errors: FieldError[], whole = 'The body'): HeadwayError {
  const [first] = errors;
  return new HeadwayError('invalid-request', `${first!.pointer || whole}: ${first!.detail}`, errors);
}
