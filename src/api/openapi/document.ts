import type { Registry } from '../../shared/jobs/registry.js';
import { channelOperations } from './channels.js';
import { namedSchemas } from './components.js';
import { definitionOperations } from './definitions.js';
import { fileOperations } from './files.js';
import { jobOperations } from './jobs.js';
import type { JsonSchema } from './json-schema.js';
import { keyOperations } from './keys.js';
import { kindSchemas } from './kinds.js';
import { type Operation, operationObject } from './operation.js';
import { parameters, responseHeaders } from './parameters.js';
import { scheduleOperations } from './schedules.js';
import { securitySchemes } from './security.js';
import { serviceOperations } from './service.js';
import { streamOperations } from './streams.js';
import { webhooks } from './webhooks.js';

/** The version of the API, as its paths have it. */
export const VERSION = '1';

/** Every operation, in the order in which the reference shows them. */
const operations: Operation[] = [
  ...jobOperations,
  ...streamOperations,
  ...fileOperations,
  ...scheduleOperations,
  ...channelOperations,
  ...definitionOperations,
  ...keyOperations,
  ...serviceOperations,
];

const DESCRIPTION = `Starts long jobs and pushes their progress: nobody polls.

Start a job with \`POST /v1/jobs\`, watch it at its \`links.events\` with \`EventSource\`. Bodies are JSON in UTF-8; times are ms since 1970 unless a name says otherwise. \`HEAD\` is answered wherever \`GET\` is, \`OPTIONS\` with 204 and \`Allow\`, another method with 405 (\`method-not-allowed\`). Every error is a problem (RFC 9457) with a stable \`code\`.

The streams are also described by [/asyncapi.json](/asyncapi.json).`;

/** The schemas of the document: ours, and those of the kinds of job that there are. */
export const schemasOf = async (registry: Registry): Promise<Record<string, JsonSchema>> => ({
  ...namedSchemas(),
  ...(await kindSchemas(registry)),
});

/**
 * The reference of the HTTP API (OpenAPI 3.1.1), made from what validates.
 * @param base the path below which clients see the service, such as `/headway`; empty for none
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
    paths: pathsOf(operations),
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

/** The links in an example, below the base path; the schema of links stays as it is. */
const linksAt = (value: object, base: string): object =>
  Object.fromEntries(
    Object.entries(value).map(([name, link]) => [name, String(link).startsWith('/v1/') ? base + link : link]),
  );

function pathsOf(all: Operation[]): Record<string, Record<string, unknown>> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const operation of all) {
    const { path, method } = operation;
    paths[path] = { ...paths[path], [method]: operationObject(operation) };
  }
  return paths;
}
