import { createGroup, type Group } from './group.js';
import { call, type ServiceOptions } from './http.js';
import type { Pool, Topic } from './topic.js';

/** So many topics go over one connection: a line of the head, with the token of each, has to fit into 8 KiB (nginx). */
const MAX_TOPICS = 30;

const query = (key: string, topics: Topic[]): string =>
  topics.map(({ name }) => `${key}=${encodeURIComponent(name)}`).join('&');

/** The path of the stream of topics of one kind. A job alone has a place of its own, which its own cookie opens too. */
function pathOf(topics: Topic[], together: boolean): string {
  const { kind, name, last, stays } = topics[0]!;
  if (kind === 'jobs') return `v1/events?jobs=${name}`;
  if (kind === 'channel') return `stream?${query('channel', topics)}${last ? `&last=${last}` : ''}`;
  const path = together ? `v1/events?${query('job', topics)}` : `v1/jobs/${encodeURIComponent(name)}/events`;
  return stays ? `${path}${together ? '&' : '?'}retries=follow` : path;
}

/** Follows topics over connections of this thread: one for all jobs, one for all channels, unless there are very many. */
export function createPool(service: ServiceOptions, silenceMs: number): Pool {
  const groups = new Set<{ kind: string; group: Group }>();

  return {
    follow(topic, listener) {
      // A stream that stays open would not end for those who wait for its end.
      const kind = topic.kind + (topic.last ?? '') + (topic.stays ? '+' : '');
      let leave = groupFor(topic, kind).join(topic, {
        ...listener,
        onExpel(lastEventId) {
          const alone = { ...topic, lastEventId };
          leave = groupFor(alone, `${kind} ${topic.name}`).join(alone, listener);
        },
      });
      return () => leave();
    },
  };

  /** The group that has a topic already, or has room for it. */
  function groupFor({ name }: Topic, kind: string): Group {
    const alone = `${kind} ${name}`;
    const all = [...groups].filter((each) => each.kind === kind || each.kind === alone);
    const found =
      all.find(({ group }) => group.members.has(name)) ??
      all.find((each) => each.kind === kind && each.group.members.size < MAX_TOPICS);
    if (found) return found.group;
    const made = { kind, group: createGroup(connect, silenceMs, () => groups.delete(made)) };
    groups.add(made);
    return made.group;
  }

  function connect(
    topics: Array<Topic & { position: string }>,
    signal: AbortSignal,
    together: boolean,
  ): Promise<Response> {
    const positions = topics.map(({ position }) => position);
    const tokens = topics.flatMap(({ token }) => token ?? []);
    return call(service, pathOf(topics, together), {
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
