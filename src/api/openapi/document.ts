import type { Registry } from '../../shared/jobs/registry.js';
import { channelOperations } from './channels.js';
import { namedSchemas, refTo } from './components.js';
import { definitionOperations } from './definitions.js';
import { fileOperations } from './files.js';
import { jobOperations } from './jobs.js';
import type { JsonSchema } from './json-schema.js';
import { keyOperations } from './keys.js';
import { eventsOf, kindSchemas, openKinds } from './kinds.js';
import { type Operation, operationObject } from './operation.js';
import { parameters, responseHeaders } from './parameters.js';
import { scheduleOperations } from './schedules.js';
import { securitySchemes } from './security.js';
import { serviceOperations } from './service.js';
import { streamOperations } from './streams.js';
import { webhooks } from './webhooks.js';

/** The version of the API, as in its paths. */
export const VERSION = '1';

/** All operations, in the order of the reference. */
export const operations: Operation[] = [
  ...jobOperations,
  ...streamOperations,
  ...fileOperations,
  ...scheduleOperations,
  ...channelOperations,
  ...definitionOperations,
  ...keyOperations,
  ...serviceOperations,
];

const DESCRIPTION = `Start long-running jobs and follow their progress live, without polling.

Start a job with \`POST /v1/jobs\`, then watch it at its \`links.events\` with \`EventSource\`. Bodies are JSON in UTF-8. Times are milliseconds since 1970 unless stated otherwise. \`HEAD\` works wherever \`GET\` does. \`OPTIONS\` returns 204 with \`Allow\`, any other method 405 (\`method-not-allowed\`). Every error is a problem (RFC 9457) with a stable \`code\`.

[/asyncapi.json](/asyncapi.json) describes the streams as an AsyncAPI document.`;

/** Returns the schemas of the document: those of the API, and those of each kind of job. */
export const schemasOf = async (registry: Registry): Promise<Record<string, JsonSchema>> => ({
  ...namedSchemas(),
  ...(await kindSchemas(registry)),
});

/**
 * Returns the reference of the HTTP API (OpenAPI 3.1.1), generated from the schemas that validate requests.
 * @param base the path under which clients reach the service, such as `/headway`; empty for none
 */
export async function openApiDocument(registry: Registry, base: string): Promise<Record<string, unknown>> {
  const document = {
    openapi: '3.1.1',
    info: {
      title: 'Headway',
      version: VERSION,
      description: DESCRIPTION.replace('](/', `](${base}/`),
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: base || '/' }],
    tags: [...new Set([...operations.map(({ tag }) => tag), 'Webhooks'])].map((name) => ({ name })),
    paths: pathsOf(operations.map(withCustomEvents(registry))),
    webhooks,
    components: {
      schemas: await schemasOf(registry),
      parameters,
      headers: responseHeaders,
      securitySchemes,
    },
  };
  return JSON.parse(
    JSON.stringify(document, (key, value) => (key === 'links' ? linksAt(value, base) : value)),
  );
}

/** Puts the links of an example under the base path. The schema of links is not changed. */
const linksAt = (value: object, base: string): object =>
  Object.fromEntries(
    Object.entries(value).map(([name, link]) => [name, String(link).startsWith('/v1/') ? base + link : link]),
  );

/** Returns a function that adds the custom events that kinds of job declare to the operations that stream them. */
function withCustomEvents(registry: Registry): (operation: Operation) => Operation {
  const kinds = openKinds(registry).filter(({ events }) => events);
  const listed = kinds.map(({ name, events = {} }) => {
    const names = Object.keys(events).map((event) => `\`${event}\``);
    return `\`${name}\`: ${names.join(', ')} (\`${eventsOf(name)}\`)`;
  });
  const customEvents = Object.fromEntries(kinds.map(({ name }) => [name, refTo(eventsOf(name))]));
  return (operation) =>
    kinds.length > 0 && operation.events?.['*']
      ? {
          ...operation,
          customEvents,
          description: `${operation.description}\n\nCustom events that the kinds of job declare, with the schema of their values:\n\n- ${listed.join('\n- ')}`,
        }
      : operation;
}

function pathsOf(all: Operation[]): Record<string, Record<string, unknown>> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const operation of all) {
    const { path, method } = operation;
    paths[path] = { ...paths[path], [method]: operationObject(operation) };
  }
  return paths;
}
