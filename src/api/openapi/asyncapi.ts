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

/** The streams: where each is, and which messages it can have. */
const channels = {
  job: {
    address: '/v1/jobs/{id}/events',
    description: 'The stream of one job.',
    parameters: { id: { description: 'The id of the job' } },
    names: ofJob,
  },
  jobs: {
    address: '/v1/events',
    description: 'The streams of the jobs that `?job=` names, over one connection.',
    names: ofJob,
  },
  channels: {
    address: '/stream',
    description: 'The channels that `?channel=` names, over one connection.',
    names: ofChannel,
  },
};

/**
 * The reference of the streams (AsyncAPI 3.0.0), from the same schemas as that of the HTTP API.
 * @param schemas those of the OpenAPI document
 * @param base the path below which clients see the service, such as `/headway`; empty for none
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
      summary: 'Whatever was published to the channel, under the name that its publisher gave',
      payload: { description: 'JSON, or text as it was given' },
    },
  };
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Headway: streams',
      version: VERSION,
      description: `Server-sent events (WHATWG HTML, section 9.2). The name of an event is its \`event:\` line, the payload the JSON of its \`data:\` lines. How to call and to resume a stream: ${base}/openapi.json.`,
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

/** The schemas that some value refers to, and those that these refer to. */
function referredIn(value: unknown, schemas: Record<string, JsonSchema>): Record<string, JsonSchema> {
  const found: Record<string, JsonSchema> = {};
  const look = (text: string): void => {
    for (const [, name] of text.matchAll(/"#\/components\/schemas\/([^"/]+)/g)) {
      if (found[name!]) continue;
      found[name!] = schemas[name!]!;
      look(JSON.stringify(schemas[name!]));
    }
  };
  look(JSON.stringify(value));
  return found;
}
