import type { StandardJSONSchemaV1, StandardSchemaV1 } from '@standard-schema/spec';
import { z } from 'zod';

/** A JSON Schema (2020-12). */
export type JsonSchema = Record<string, unknown>;

/**
 * Returns the JSON Schema of the input or output of a schema, from zod or any library that implements Standard JSON
 * Schema.
 * @returns `undefined` when the library does not support it, or JSON Schema cannot express it (a transform, for example)
 */
export function jsonSchemaOf(schema: StandardSchemaV1, side: 'input' | 'output'): JsonSchema | undefined {
  const standard = schema['~standard'] as StandardSchemaV1.Props & Partial<StandardJSONSchemaV1.Props>;
  try {
    if (standard.vendor === 'zod') return z.toJSONSchema(schema as unknown as z.ZodType, { io: side });
    return standard.jsonSchema?.[side]({ target: 'draft-2020-12' });
  } catch {
    return undefined;
  }
}
