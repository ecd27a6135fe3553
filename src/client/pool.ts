import { createGroup, type Group } from './group.js';
import { call, type ServiceOptions } from './http.js';
import type { Patience } from './stream.js';
import type { Pool, Topic } from './topic.js';

/** How many topics share one connection. The header line with their tokens must fit into 8 KiB (nginx). */
const MAX_TOPICS = 30;

const query = (key: string, topics: Topic[]): string =>
  topics.map(({ name }) => `${key}=${encodeURIComponent(name)}`).join('&');

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
  function groupFor({ name }: Topic, kind: string): Group {
    const alone = `${kind} ${name}`;
    const all = [...groups].filter((each) => each.kind === kind || each.kind === alone);
    const found =
      all.find(({ group }) => group.members.has(name)) ??
      all.find((each) => each.kind === kind && each.group.members.size < MAX_TOPICS);
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
    const tokens = topics.flatMap(({ token }) => token ?? []);
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
          ...(tokens.length > 0 ? { 'Headway-Job-Tokens': tokens.join() } : {}),
        },
      },
    );
  }
}
