import type { Definition, JsonSchema } from '../api';

/** A field of the form, made from a property of a job's schema. */
export interface Field {
  name: string;
  label: string;
  description: string | undefined;
  kind: 'file' | 'number' | 'text' | 'choice' | 'boolean' | 'json';
  required: boolean;
  schema: JsonSchema;
}

/** The fields for a job's data; `undefined` when the schema says too little: then the data is entered as JSON. */
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

/** A value to begin with, so that a number field is not empty. */
export function initialValue(field: Field): unknown {
  const { default: given } = field.schema;
  if (given !== undefined) return field.kind === 'json' ? jsonLines(given) : given;
  if (field.kind === 'boolean') return false;
  return '';
}

/** JSON to be edited: the items of a list in lines of their own. */
const jsonLines = (value: unknown): string =>
  Array.isArray(value)
    ? `[\n${value.map((item) => `  ${JSON.stringify(item)}`).join(',\n')}\n]`
    : JSON.stringify(value, null, 2);

/** What an entered value is in the job's data; `undefined` leaves the field out. Throws for JSON that is none. */
export function dataValue(field: Field, entered: unknown): unknown {
  if (entered === '' || entered === null || entered === undefined) return undefined;
  if (field.kind === 'number') return Number(entered);
  if (field.kind === 'json') return JSON.parse(String(entered));
  return entered;
}
