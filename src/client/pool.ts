import { createGroup, type Group } from './group.js';
import { call, type ServiceOptions } from './http.js';
import type { Patience } from './stream.js';
import type { Pool, Topic } from './topic.js';

/** How many topics share one connection. Each event has the positions of all of them, so more would cost more bytes. */
const FEW_TOPICS = 30;
/** From this many connections on, each takes more topics, as many as the service accepts: browsers allow six to a host. */
const MANY_GROUPS = 3;
const MAX_TOPICS = 100;
/** The length of their names and tokens. The first line of a request, and each header line, must fit into 8 KiB (nginx). */
const MAX_LENGTH = 7500;

const query = (key: string, topics: Topic[]): string =>
  topics.map(({ name }) => `${key}=${encodeURIComponent(name)}`).join('&');

const tokensOf = (topics: Topic[]): string => topics.flatMap(({ token }) => token ?? []).join();

/** The path of the stream for topics of one kind. A single job has its own path. */
function pathOf(topics: Topic[], together: boolean): string {
  const [first] = topics;
  if (!first) throw new RangeError('No topics to follow');
  const { kind, name, last, stays } = first;
  if (kind === 'jobs') return `v1/events?jobs=${name}`;
  if (kind === 'channel') return `stream?${query('channel', topics)}${last ? `&last=${last}` : ''}`;
  const path = together ? `v1/events?${query('job', topics)}` : `v1/jobs/${encodeURIComponent(name)}/events`;
  return stays ? `${path}${together ? '&' : '?'}retries=follow` : path;
}

function hasRoom({ members }: Group, topic: Topic): boolean {
  const topics = [...Array.from(members.values(), (member) => member.topic), topic];
  return topics.length <= MAX_TOPICS && (query('channel', topics) + tokensOf(topics)).length <= MAX_LENGTH;
}

/** Follows topics over connections of this thread: one for all jobs and one for all channels, unless there are too many. */
export function createPool(service: ServiceOptions, patience: Patience): Pool {
  const groups = new Set<{ kind: string; group: Group }>();

  return {
    follow(topic, listener) {
      // Topics that stay open keep their stream open, so they do not share it with topics that end.
      const kind = topic.kind + (topic.last ?? '') + (topic.stays ? '+' : '');
      let leave = groupFor(topic, kind).join(topic, {
        ...listener,
        onIsolate(lastEventId) {
          const alone = { ...topic, lastEventId };
          leave = groupFor(alone, `${kind} ${topic.name}`).join(alone, listener);
        },
      });
      return () => leave();
    },
  };

  /** The group that already has a topic, or has room for it. */
  function groupFor(topic: Topic, kind: string): Group {
    const { name } = topic;
    const alone = `${kind} ${name}`;
    const all = [...groups].filter((each) => each.kind === kind || each.kind === alone);
    const shared = all.filter((each) => each.kind === kind);
    const found =
      all.find(({ group }) => group.members.has(name)) ??
      shared.find(({ group }) => group.members.size < FEW_TOPICS && hasRoom(group, topic)) ??
      (shared.length < MANY_GROUPS ? undefined : shared.find(({ group }) => hasRoom(group, topic)));
    if (found) return found.group;
    const created = { kind, group: createGroup(connect, patience, () => groups.delete(created)) };
    groups.add(created);
    return created.group;
  }

  function connect(
    topics: Array<Topic & { position: string }>,
    signal: AbortSignal,
    together: boolean,
    waitS?: number,
  ): Promise<Response> {
    const positions = topics.map(({ position }) => position);
    const tokens = tokensOf(topics);
    const path = pathOf(topics, together);
    return call(
      service,
      waitS === undefined ? path : `${path}${path.includes('?') ? '&' : '?'}wait=${waitS}`,
      {
        signal,
        headers: {
          Accept: 'text/event-stream',
          ...(positions.some(Boolean) ? { 'Last-Event-ID': positions.join() } : {}),
          // In a header, because other parties may see the URL.
          ...(tokens ? { 'Headway-Job-Tokens': tokens } : {}),
        },
      },
    );
  }
}
