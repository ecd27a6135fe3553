import { createGroup, type Group } from './group.js';
import { call, type ServiceOptions } from './http.js';
import type { Pool, Topic } from './topic.js';

/** So many topics go over one connection: their names and tokens have to fit into the head of a request. */
const MAX_TOPICS = 50;

const query = (key: string, topics: Topic[]): string =>
  topics.map(({ name }) => `${key}=${encodeURIComponent(name)}`).join('&');

/** The path of the stream of topics of one kind. */
function pathOf(topics: Topic[]): string {
  const { kind, name, last } = topics[0]!;
  if (kind === 'channel') return `stream?${query('channel', topics)}${last ? `&last=${last}` : ''}`;
  if (topics.length > 1) return `v1/events?${query('job', topics)}`;
  return `v1/jobs/${encodeURIComponent(name)}/events`;
}

/** Follows topics over connections of this thread: one for all jobs, one for all channels, unless there are very many. */
export function createPool(service: ServiceOptions, silenceMs: number): Pool {
  const groups = new Map<string, Group[]>();

  return {
    follow(topic, listener) {
      const kind = topic.kind + (topic.last ?? '');
      const ofKind = groups.get(kind) ?? [];
      groups.set(kind, ofKind);
      let group =
        ofKind.find(({ members }) => members.has(topic.name)) ??
        ofKind.find(({ members }) => members.size < MAX_TOPICS);
      if (!group) {
        const made = createGroup(connect, silenceMs, () => ofKind.splice(ofKind.indexOf(made), 1));
        ofKind.push(made);
        group = made;
      }
      return group.join(topic, listener);
    },
  };

  function connect(topics: Array<Topic & { position: string }>, signal?: AbortSignal): Promise<Response> {
    const positions = topics.map(({ position }) => position);
    const tokens = topics.flatMap(({ token }) => token ?? []);
    return call(service, pathOf(topics), {
      signal,
      headers: {
        Accept: 'text/event-stream',
        ...(positions.some(Boolean) ? { 'Last-Event-ID': positions.join() } : {}),
        // Not in the URL, which others may see.
        ...(tokens.length > 0 ? { 'Headway-Job-Tokens': tokens.join() } : {}),
      },
    });
  }
}
