import type { Definition, JsonSchema } from '../api';

/** A field of the form, created from a property of a job's schema. */
export interface Field {
  name: string;
  label: string;
  description: string | undefined;
  kind: 'file' | 'number' | 'text' | 'choice' | 'boolean' | 'json';
  required: boolean;
  schema: JsonSchema;
}

/** Returns the fields for a job's data; `undefined` if the schema is not specific enough, and JSON must be entered. */
export function fieldsOf(definition: Definition): Field[] | undefined {
  const { input } = definition;
  if (input?.type !== 'object') return undefined;
  return Object.entries(input.properties ?? {}).map(([name, schema]) => ({
    name,
    label: labelOf(name),
    description: schema.format === 'headway-file' ? undefined : schema.description,
    kind: kindOf(schema),
    required: (input.required ?? []).includes(name) && schema.default === undefined,
    schema,
  }));
}

function kindOf(schema: JsonSchema): Field['kind'] {
  if (schema.format === 'headway-file') return 'file';
  if (schema.enum) return 'choice';
  if (schema.type === 'integer' || schema.type === 'number') return 'number';
  if (schema.type === 'boolean') return 'boolean';
  if (schema.type === 'string') return 'text';
  return 'json';
}

/** `intervalMs` → `Interval (ms)`. */
function labelOf(name: string): string {
  const [, stem = name, unit] = /^(.+?)(Ms|Bytes)?$/.exec(name) ?? [];
  const words = stem
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .replace(/[_-]/g, ' ')
    .toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1) + (unit ? ` (${unit.toLowerCase()})` : '');
}

/** Returns the initial value of a field: the default of its schema or, of a required field, the first example. */
export function initialValue(field: Field): unknown {
  const { default: byDefault, examples } = field.schema;
  const given = byDefault ?? (field.required ? examples?.[0] : undefined);
  if (given !== undefined) return field.kind === 'json' ? jsonLines(given) : given;
  if (field.kind === 'boolean') return false;
  return '';
}

/** Formats JSON for editing, with each item of a list on its own line. */
const jsonLines = (value: unknown): string =>
  Array.isArray(value)
    ? `[\n${value.map((item) => `  ${JSON.stringify(item)}`).join(',\n')}\n]`
    : JSON.stringify(value, null, 2);

/** Converts an entered value for the job's data; `undefined` omits the field. @throws SyntaxError for invalid JSON */
export function dataValue(field: Field, entered: unknown): unknown {
  if (entered === '' || entered === null || entered === undefined) return undefined;
  if (field.kind === 'number') return Number(entered);
  if (field.kind === 'json') return JSON.parse(String(entered));
  return entered;
}
