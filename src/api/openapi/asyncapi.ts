import { customEvent, jobEvents } from '../../shared/jobs/events/job-events.js';
import { streamEvents } from '../../shared/jobs/events/stream-events.js';
import { ref } from './components.js';
import { VERSION } from './document.js';
import type { JsonSchema } from './json-schema.js';
import { allEvents } from './streams.js';

const CUSTOM = 'custom';
const PUBLISHED = 'published';

const message = (name: string): { $ref: string } => ({ $ref: `#/components/messages/${name}` });
const ofJob = [...Object.keys(jobEvents), CUSTOM, ...Object.keys(streamEvents)];
const ofChannel = [PUBLISHED, ...Object.keys(streamEvents)];

/** The streams: the address and the possible messages of each. */
const channels = {
  job: {
    address: '/v1/jobs/{id}/events',
    description: 'Events of one job.',
    parameters: { id: { description: 'The id of the job' } },
    names: ofJob,
  },
  jobs: {
    address: '/v1/events',
    description: 'Events of the jobs named with `?job=`, over one connection.',
    names: ofJob,
  },
  channels: {
    address: '/stream',
    description: 'Events of the channels named with `?channel=`, over one connection.',
    names: ofChannel,
  },
};

/**
 * Returns the reference of the streams (AsyncAPI 3.0.0). It has the same schemas as the reference of the HTTP API.
 * @param schemas the schemas of the OpenAPI document
 * @param base the path under which clients reach the service, such as `/headway`; empty for none
 */
export function asyncApiDocument(schemas: Record<string, JsonSchema>, base: string): Record<string, unknown> {
  const messages = {
    ...Object.fromEntries(
      Object.entries(allEvents).map(([name, { about, data }]) => [
        name,
        { name, title: name, summary: about, payload: ref(data) },
      ]),
    ),
    [CUSTOM]: { name: CUSTOM, summary: customEvent.about, payload: ref(customEvent.data) },
    [PUBLISHED]: {
      name: PUBLISHED,
      summary: 'An event that was published to the channel, with the name that its publisher chose',
      payload: { description: 'JSON, or text as it was published' },
    },
  };
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Headway: streams',
      version: VERSION,
      description: `Server-sent events (WHATWG HTML, section 9.2). The \`event:\` line has the name of the message, the \`data:\` lines its payload as JSON. See ${base}/openapi.json for how to open and resume a stream.`,
      license: { name: 'MIT' },
    },
    defaultContentType: 'application/json',
    channels: Object.fromEntries(
      Object.entries(channels).map(([name, { names, address, ...channel }]) => [
        name,
        {
          address: base + address,
          ...channel,
          messages: Object.fromEntries(names.map((event) => [event, message(event)])),
        },
      ]),
    ),
    operations: Object.fromEntries(
      Object.keys(channels).map((name) => [
        `send-${name}`,
        { action: 'send', channel: { $ref: `#/channels/${name}` } },
      ]),
    ),
    components: { messages, schemas: referredIn(messages, schemas) },
  };
}

/** Collects the schemas that a value refers to, directly or through other schemas. */
function referredIn(value: unknown, schemas: Record<string, JsonSchema>): Record<string, JsonSchema> {
  const found: Record<string, JsonSchema> = {};
  const collect = (text: string): void => {
    for (const [, name = ''] of text.matchAll(/"#\/components\/schemas\/([^"/]+)/g)) {
      const schema = schemas[name];
      if (!schema || found[name]) continue;
      found[name] = schema;
      collect(JSON.stringify(schema));
    }
  };
  collect(JSON.stringify(value));
  return found;
}
