import { isPassing, type ProblemError } from './errors.js';
import { commonPosition, deliver, type Follower, moveTo, sendReset } from './follower.js';
import type { StreamEvent } from './parser.js';
import { openStream, type Patience, type Status, type Stream } from './stream.js';
import { isTerminal, type Listener, type Topic } from './topic.js';

/**
 * Opens the stream of several topics, each from its position.
 * @param together uses the request for several topics, even for a single one
 * @param waitS polls instead: the answer ends after the first events, or after this many seconds
 * @throws ProblemError when the stream is refused
 */
export type Connect = (
  members: Array<Topic & { position: string }>,
  signal: AbortSignal,
  together: boolean,
  waitS?: number,
) => Promise<Response>;

/** One connection for several topics of one kind. It is reopened when topics are added or removed. */
export interface Group {
  /** The topics, by name. */
  readonly members: ReadonlyMap<string, { topic: Topic }>;
  /** @returns a function that leaves the group */
  join(topic: Topic, listener: Listener): () => void;
}

/** The shortest time between two reopenings caused by joining and leaving topics, in ms. */
const REOPEN_MS = 250;

interface Member {
  topic: Topic;
  followers: Set<Follower>;
}

/** @param onEmpty called when the last topic has left */
export function createGroup(connect: Connect, patience: Patience, onEmpty: () => void): Group {
  const members = new Map<string, Member>();
  /** The topics in the request of the open connection, in order, each with its position. */
  let requested: Member[] = [];
  let positions: string[] = [];
  let status: Status = 'connecting';
  /** The previous connection was live until it was closed in favour of the new one. */
  let seamless = false;
  let stream: Stream | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let openedAt = Number.NEGATIVE_INFINITY;

  function schedule(): void {
    timer ??= setTimeout(
      () => {
        timer = undefined;
        seamless = status === 'live';
        openedAt = performance.now();
        if (stream) stream.restart();
        else open();
      },
      Math.max(0, openedAt + REOPEN_MS - performance.now()),
    );
  }

  function open(): void {
    status = 'connecting';
    stream = openStream({
      connect: request,
      // The events of an overview have no positions.
      canPoll: [...members.values()][0]?.topic.kind !== 'jobs',
      onEvent: handleEvent,
      onPosition: handlePosition,
      onStatus(next) {
        seamless = false;
        status = next;
        if (next !== 'ended') notifyStatus();
      },
      onRefused: findRefused,
      onEnd(error) {
        if (!stream) return;
        stream = undefined;
        end(requested, error);
        // Topics that joined too late for this connection.
        if (members.size > 0) schedule();
      },
      ...patience,
    });
  }

  function notifyStatus(): void {
    for (const { followers } of members.values()) {
      for (const follower of followers) if (follower.active) follower.onStatus(status);
    }
  }

  async function request(signal: AbortSignal, waitS?: number): Promise<Response> {
    requested = [...members.values()];
    const topics = requested.map(({ topic, followers }) => {
      const position = commonPosition(followers);
      for (const follower of followers) {
        // The stream restarts for another follower, and the log may no longer hold everything that this one missed.
        if (!position && follower.position && !(seamless && follower.active)) sendReset(follower);
      }
      return { ...topic, position };
    });
    positions = topics.map(({ position }) => position);
    const present = requested.flatMap(({ followers }) => [...followers]);
    const response = await connect(topics, signal, topics.length > 1, waitS);
    for (const follower of present) follower.active = true;
    if (status === 'live') notifyStatus();
    return response;
  }

  /** Finds the topic of an event: the one with a new position. */
  function handleEvent(event: StreamEvent): void {
    const parts = requested.length > 1 ? (event.id?.split(',') ?? []) : [event.id ?? ''];
    const index = parts.findIndex((part, i) => part !== positions[i]);
    // Events without an id: events of many jobs, a reset of a single topic, and `unauthorized`, after which the service
    // closes the connection.
    const moved = parts.length === requested.length && index >= 0;
    if (!moved && event.event !== 'reset' && requested[0]?.topic.kind !== 'jobs') return;
    for (const [i, member] of requested.entries()) {
      if (!moved || i === index) deliverToMember(member, event, (moved && parts[i]) || '');
    }
    if (moved) positions = parts;
  }

  /** Moves all topics to the positions at the end of a poll, so that the next one continues there. */
  function handlePosition(id: string): void {
    positions = requested.length > 1 ? id.split(',') : [id];
    for (const [i, { followers }] of requested.entries()) {
      const position = positions[i];
      if (position) for (const follower of followers) moveTo(follower, position);
    }
  }

  function deliverToMember(member: Member, event: StreamEvent, position: string): void {
    const { topic, followers } = member;
    const hasEnded = topic.kind === 'job' && !topic.stays && isTerminal(event.event);
    for (const follower of [...followers]) {
      deliver(follower, event, position);
      if (hasEnded && follower.active) {
        followers.delete(follower);
        follower.onEnd();
      }
    }
    // The service ends this topic's part of the stream. The connection stays open for the others.
    if (hasEnded && followers.size === 0) remove(member);
  }

  /**
   * A refusal does not name the refused topic, so each topic is requested alone. Refused ones may succeed on their own.
   */
  async function findRefused(): Promise<boolean> {
    if (requested.length === 1) return false;
    let found = false;
    for (const member of requested) {
      const { topic, followers } = member;
      const probe = new AbortController();
      await connect([{ ...topic, position: '' }], probe.signal, true).catch((error) => {
        if (isPassing(error)) return;
        found = true;
        const refused = [...followers];
        followers.clear();
        remove(member);
        for (const follower of refused) follower.onIsolate?.(follower.position);
      });
      probe.abort();
    }
    return found;
  }

  function end(ended: Member[], error?: ProblemError): void {
    for (const member of ended) {
      const present = [...member.followers];
      member.followers.clear();
      remove(member);
      for (const follower of present) follower.onEnd(error);
    }
  }

  function remove(member: Member): void {
    const { name } = member.topic;
    // The topic may have been added again since, for example because its job runs again.
    if (members.get(name) !== member) return;
    members.delete(name);
    if (members.size > 0) return;
    clearTimeout(timer);
    const last = stream;
    stream = timer = undefined;
    last?.close();
    onEmpty();
  }

  return {
    members,
    join(topic, listener) {
      const member = members.get(topic.name) ?? { topic, followers: new Set() };
      // A later listener may have a token that grants access to the topic.
      member.topic = { ...topic, token: topic.token ?? member.topic.token };
      members.set(topic.name, member);
      const follower: Follower = { ...listener, position: topic.lastEventId ?? '', active: false };
      member.followers.add(follower);
      schedule();
      return () => {
        // Topics without followers are no longer requested.
        if (!member.followers.delete(follower) || member.followers.size > 0) return;
        remove(member);
        if (members.size > 0) schedule();
      };
    },
  };
}
