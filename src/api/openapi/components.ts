import { z } from 'zod';
import { jsonValue } from '../../shared/jobs/schema.js';
import type { JsonSchema } from './json-schema.js';

const ROOT = '#/components/schemas/';

/** The schemas that have a name in the document. */
const registry = z.registry<{ id: string }>();

/** Gives a schema a name in the document; wherever it is part of another, that refers to it. */
export function named<S extends z.ZodType>(name: string, schema: S): S {
  registry.add(schema, { id: name });
  return schema;
}

/** A reference to a schema of the document. */
export const refTo = (name: string): JsonSchema => ({ $ref: ROOT + name });

/**
 * A reference to a schema that has a name.
 * @throws TypeError for one that has none: it would not be in the document
 */
export function ref(schema: z.ZodType): JsonSchema {
  const id = registry.get(schema)?.id;
  if (id === undefined) throw new TypeError('a schema without a name (see `named`) cannot be referred to');
  return refTo(id);
}

named('Json', jsonValue);

/** All schemas that have a name, as JSON Schema. What a request is checked with beyond that (refinements) is not in it. */
export function namedSchemas(): Record<string, JsonSchema> {
  const { schemas } = z.toJSONSchema(registry, {
    io: 'input',
    unrepresentable: 'any',
    uri: (id) => ROOT + id,
    override: ({ jsonSchema }) => leaveOutTheObvious(jsonSchema),
  }) as { schemas: Record<string, JsonSchema> };
  return {
    ...Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, placed(schema, name)])),
    Json: { description: 'Any JSON value' },
  };
}

/** Bounds that every whole number in JSON has, and patterns that say what the format does. */
function leaveOutTheObvious(schema: JsonSchema): void {
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  if (schema.format === 'date-time') delete schema.pattern;
}

/**
 * A JSON Schema as it is among the components: without the address that it had by itself, and with its references to
 * its own parts made relative to the document.
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
