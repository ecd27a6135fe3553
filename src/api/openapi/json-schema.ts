import type { StandardJSONSchemaV1, StandardSchemaV1 } from '@standard-schema/spec';
import { z } from 'zod';

/** A JSON Schema (2020-12). */
export type JsonSchema = Record<string, unknown>;

/**
 * The JSON Schema of what a schema takes (`input`) or gives (`output`), of whatever library it is: zod, or any other
 * that implements Standard JSON Schema.
 * @returns `undefined` where the library has none, or JSON Schema cannot say it (a transform, say)
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
