import { z } from 'zod';
import { jsonValue } from '../../shared/jobs/schema.js';
import type { JsonSchema } from './json-schema.js';

const ROOT = '#/components/schemas/';

/** The schemas that are components of the document. */
const registry = z.registry<{ id: string }>();

/** Makes a schema a component of the document. Other schemas then refer to it by name. Returns the schema. */
export function named<S extends z.ZodType>(name: string, schema: S): S {
  registry.add(schema, { id: name });
  return schema;
}

/** Returns a reference to the schema with this name. */
export const refTo = (name: string): JsonSchema => ({ $ref: ROOT + name });

/**
 * Returns a reference to a named schema.
 * @throws TypeError for a schema without a name, which would be missing from the document
 */
export function ref(schema: z.ZodType): JsonSchema {
  const id = registry.get(schema)?.id;
  if (id === undefined) throw new TypeError('cannot refer to a schema without a name (see `named`)');
  return refTo(id);
}

named('Json', jsonValue);

/** Returns all named schemas as JSON Schema. Refinements, which JSON Schema cannot express, are left out. */
export function namedSchemas(): Record<string, JsonSchema> {
  const { schemas } = z.toJSONSchema(registry, {
    io: 'input',
    unrepresentable: 'any',
    uri: (id) => ROOT + id,
    override: ({ jsonSchema }) => dropRedundant(jsonSchema),
  }) as { schemas: Record<string, JsonSchema> };
  return {
    ...Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, placed(schema, name)])),
    Json: { description: 'Any JSON value' },
  };
}

/** Drops the bounds that every JSON integer has, and patterns that repeat the format. */
function dropRedundant(schema: JsonSchema): void {
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  if (schema.format === 'date-time') delete schema.pattern;
}

/**
 * Returns a JSON Schema as a component of the document: without `$schema` and `$id`, and with references to its own
 * parts made relative to the document.
 */
export function placed(schema: JsonSchema, name: string): JsonSchema {
  const { $schema: _dialect, $id: _address, ...rest } = schema;
  return relocate(rest, ROOT + name) as JsonSchema;
}

function relocate(value: unknown, base: string): unknown {
  if (Array.isArray(value)) return value.map((inner) => relocate(inner, base));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      const local = key === '$ref' && typeof inner === 'string' && /^#(?!\/components\/)/.test(inner);
      return [key, local ? base + inner.slice(1) : relocate(inner, base)];
    }),
  );
}
