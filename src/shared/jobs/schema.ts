import type { StandardSchemaV1 } from '@standard-schema/spec';
import { z } from 'zod';
import type { FieldError } from '../errors.js';

/** Schema of any JSON value. */
export const jsonValue = z.json();

export type Validated<T> = { value: T; errors?: undefined } | { errors: FieldError[] };

/**
 * Validates a value with a schema of any Standard Schema library.
 * @returns the output of the schema, or the errors, each with a JSON Pointer (RFC 6901) into the value
 */
export async function validate<S extends StandardSchemaV1>(
  schema: S,
  value: unknown,
): Promise<Validated<StandardSchemaV1.InferOutput<S>>> {
  const checked = await schema['~standard'].validate(value);
  return checked.issues ? { errors: fieldErrors(checked.issues) } : { value: checked.value };
}

/** Returns the issues of a schema as errors, each with a JSON Pointer (RFC 6901) into the value. */
export const fieldErrors = (issues: ReadonlyArray<StandardSchemaV1.Issue>): FieldError[] =>
  issues.map(({ message, path }) => ({
    pointer: (path ?? []).map((part) => `/${escapeKey(typeof part === 'object' ? part.key : part)}`).join(''),
    detail: message,
  }));

/** Joins errors into one line. */
export const explain = (errors: FieldError[]): string =>
  errors.map(({ pointer, detail }) => `${pointer || '/'}: ${detail}`).join('; ');

const escapeKey = (key: PropertyKey): string => String(key).replaceAll('~', '~0').replaceAll('/', '~1');
