import type { JobDefinition } from '../../shared/jobs/definition.js';
import { optionsSchema } from '../../shared/jobs/options.js';
import type { Registry } from '../../shared/jobs/registry.js';
import { validate } from '../../shared/jobs/schema.js';
import type { EventSchemas } from '../../shared/jobs/types.js';
import { named, placed, ref, refTo } from './components.js';
import { type JsonSchema, jsonSchemaOf } from './json-schema.js';

export const jobOptionsSchema = named('JobOptions', optionsSchema);

/** The name of the schema of a request for a job of any kind. */
export const ANY_START = 'StartJob';

/** The kinds of job that can be started over HTTP, sorted by name. */
export const openKinds = (registry: Registry): JobDefinition[] =>
  [...registry.values()].filter(({ internal }) => !internal).sort((a, b) => (a.name < b.name ? -1 : 1));

/** The name of the schema with the values of a kind's custom events. */
export const eventsOf = (kind: string): string => `${kind}.events`;

/** Returns the schemas of each kind of job: of its data, its result, its custom events and a request that starts it. */
export async function kindSchemas(registry: Registry): Promise<Record<string, JsonSchema>> {
  const kinds = openKinds(registry);
  const schemas: Record<string, JsonSchema> = {};
  for (const kind of kinds) Object.assign(schemas, await schemasOf(kind));
  const starts = kinds.map(({ name }) => refTo(`${name}.start`));
  return {
    ...schemas,
    [ANY_START]:
      starts.length > 0
        ? {
            description: 'Starts a job. The schema of `data` depends on the kind of job.',
            oneOf: starts,
            discriminator: {
              propertyName: 'name',
              mapping: Object.fromEntries(kinds.map(({ name }) => [name, refTo(`${name}.start`).$ref])),
            },
          }
        : { description: 'No kinds of job are available.', not: {} },
  };
}

async function schemasOf({ name, description, input, limits = {}, result, events }: JobDefinition) {
  const [data, output, start] = [`${name}.data`, `${name}.result`, `${name}.start`] as const;
  const limited = Object.entries(limits).map(([who, schema]) => {
    const title = `${name}.data.${who}`;
    return [title, { title, ...placed(jsonSchemaOf(schema, 'input') ?? ANY_DATA, title) }] as const;
  });
  const needsData = !(await acceptsNoData(input));
  return {
    [data]: { title: data, ...placed(jsonSchemaOf(input, 'input') ?? ANY_DATA, data) },
    ...Object.fromEntries(limited),
    [output]: { title: output, ...placed(jsonSchemaOf(result, 'output') ?? ANY_DATA, output) },
    ...(events ? { [eventsOf(name)]: valuesOf(events, eventsOf(name)) } : {}),
    [start]: {
      title: start,
      type: 'object',
      ...(description ? { description } : {}),
      // What callers who are not admins may send: schemas that are stricter than that of `data`.
      ...(limited.length > 0
        ? {
            'x-limits': Object.fromEntries(
              Object.keys(limits).map((who) => [who, refTo(`${name}.data.${who}`)]),
            ),
          }
        : {}),
      properties: { name: { const: name }, data: refTo(data), options: ref(jobOptionsSchema) },
      required: ['name', ...(needsData ? ['data'] : [])],
      additionalProperties: false,
    },
  };
}

/** Returns an object schema with the value of each custom event, by event name. */
function valuesOf(events: EventSchemas, title: string): JsonSchema {
  const values = Object.entries(events).map(([event, schema]) => [
    event,
    placed(jsonSchemaOf(schema, 'output') ?? ANY_DATA, `${title}/properties/${event}`),
  ]);
  return {
    title,
    description:
      "The values of this kind's custom events, by event name. An event has its value in `data`, next to `jobId`, `attempt` and `at`.",
    type: 'object',
    properties: Object.fromEntries(values),
    required: Object.keys(events),
    additionalProperties: false,
  };
}

/** Whether a schema accepts `{}`, the default of `data`. */
async function acceptsNoData(input: JobDefinition['input']): Promise<boolean> {
  try {
    return (await validate(input, {})).errors === undefined;
  } catch {
    // A refinement of the job threw.
    return false;
  }
}

/** The schema of data if its schema library does not provide a JSON Schema. */
const ANY_DATA: JsonSchema = { description: 'Validated by the service. No JSON Schema is available.' };
