import type { JobDefinition } from '../../shared/jobs/definition.js';
import { optionsSchema } from '../../shared/jobs/options.js';
import type { Registry } from '../../shared/jobs/registry.js';
import { validate } from '../../shared/jobs/schema.js';
import { named, placed, ref, refTo } from './components.js';
import { type JsonSchema, jsonSchemaOf } from './json-schema.js';

export const jobOptionsSchema = named('JobOptions', optionsSchema);

/** The schema of a request for a job of any kind that can be started here. */
export const ANY_START = 'StartJob';

/** What the kinds of job add to the document: for each the schemas of its data, its result and a request for it. */
export async function kindSchemas(registry: Registry): Promise<Record<string, JsonSchema>> {
  const kinds = [...registry.values()]
    .filter(({ internal }) => !internal)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const schemas: Record<string, JsonSchema> = {};
  for (const kind of kinds) Object.assign(schemas, await schemasOf(kind));
  const starts = kinds.map(({ name }) => refTo(`${name}.start`));
  return {
    ...schemas,
    [ANY_START]:
      starts.length > 0
        ? {
            description: 'A request for a job. The data is what its kind takes.',
            oneOf: starts,
            discriminator: {
              propertyName: 'name',
              mapping: Object.fromEntries(kinds.map(({ name }) => [name, refTo(`${name}.start`).$ref])),
            },
          }
        : { description: 'There is no kind of job here.', not: {} },
  };
}

async function schemasOf({ name, description, input, result }: JobDefinition) {
  const [data, output, start] = [`${name}.data`, `${name}.result`, `${name}.start`] as const;
  const needsData = !(await takesNothing(input));
  return {
    [data]: { title: data, ...placed(jsonSchemaOf(input, 'input') ?? FREE, data) },
    [output]: { title: output, ...placed(jsonSchemaOf(result, 'output') ?? FREE, output) },
    [start]: {
      title: start,
      type: 'object',
      ...(description ? { description } : {}),
      properties: { name: { const: name }, data: refTo(data), options: ref(jobOptionsSchema) },
      required: ['name', ...(needsData ? ['data'] : [])],
      additionalProperties: false,
    },
  };
}

/** Whether a schema takes `{}`, which is what data is that is not given. */
async function takesNothing(input: JobDefinition['input']): Promise<boolean> {
  try {
    return (await validate(input, {})).errors === undefined;
  } catch {
    // A check of the job's own that did not expect it.
    return false;
  }
}

/** Of a library that gives no JSON Schema: the service says what is wrong with the data. */
const FREE: JsonSchema = { description: 'Checked by the service; its form cannot be said here.' };
