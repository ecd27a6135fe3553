import type { StandardJSONSchemaV1, StandardSchemaV1 } from '@standard-schema/spec';
import { z } from 'zod';

/** A JSON Schema (2020-12). */
export type JsonSchema = Record<string, unknown>;

/** Describes an output after its way through JSON. Parts without a JSON Schema can be anything. */
const AS_JSON: Parameters<typeof z.toJSONSchema>[1] = {
  io: 'output',
  unrepresentable: 'any',
  override({ zodSchema, jsonSchema }) {
    if (zodSchema._zod.def.type === 'date')
      Object.assign(jsonSchema, { type: 'string', format: 'date-time' });
  },
};

/**
 * Returns the JSON Schema of the input or output of a schema, from zod or any library that implements Standard JSON
 * Schema. The output is described as it arrives in JSON: a date is a text.
 * @returns `undefined` when the library does not support it, or JSON Schema cannot express it (a transform, for example)
 */
export function jsonSchemaOf(schema: StandardSchemaV1, side: 'input' | 'output'): JsonSchema | undefined {
  const standard = schema['~standard'] as StandardSchemaV1.Props & Partial<StandardJSONSchemaV1.Props>;
  try {
    if (standard.vendor === 'zod') {
      return z.toJSONSchema(schema as unknown as z.ZodType, side === 'input' ? { io: side } : AS_JSON);
    }
    return standard.jsonSchema?.[side]({ target: 'draft-2020-12' });
  } catch {
    return undefined;
  }
}
