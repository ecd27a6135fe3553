import { isPassing, type ProblemError } from './errors.js';
import { commonPosition, type Follower, give, reset } from './follower.js';
import type { StreamEvent } from './parser.js';
import { openStream, type Status, type Stream } from './stream.js';
import { isTerminal, type Listener, type Topic } from './topic.js';

/**
 * Asks for the stream of so many topics, each from its position.
 * @param together in the way in which several are asked for, also if it is one
 * @throws ProblemError when it is refused
 */
export type Connect = (
  members: Array<Topic & { position: string }>,
  signal: AbortSignal,
  together: boolean,
) => Promise<Response>;

/** One connection for several topics of a kind; it is made again as they join and leave. */
export interface Group {
  /** The topics of it, by their names. */
  readonly members: ReadonlyMap<string, unknown>;
  /** @returns leaves it */
  join(topic: Topic, listener: Listener): () => void;
}

/** The connection is not made anew more often than this for those who join and leave, in ms. */
const REOPEN_MS = 250;

interface Member {
  topic: Topic;
  followers: Set<Follower>;
}

/** @param onEmpty the last one has left */
export function createGroup(connect: Connect, silenceMs: number, onEmpty: () => void): Group {
  const members = new Map<string, Member>();
  /** What the open connection was asked for, in this order, and the position of each. */
  let asked: Member[] = [];
  let positions: string[] = [];
  let status: Status = 'connecting';
  /** The last connection was live until it was given up for the one that is being made. */
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
      connect: ask,
      onEvent: take,
      onStatus(next) {
        seamless = false;
        status = next;
        if (next !== 'ended') tellStatus();
      },
      onRefused: findRefused,
      onEnd(error) {
        if (!stream) return;
        stream = undefined;
        end(asked, error);
        // Those who came too late for it.
        if (members.size > 0) schedule();
      },
      silenceMs,
    });
  }

  function tellStatus(): void {
    for (const { followers } of members.values()) {
      for (const follower of followers) if (follower.active) follower.onStatus(status);
    }
  }

  async function ask(signal: AbortSignal): Promise<Response> {
    asked = [...members.values()];
    const topics = asked.map(({ topic, followers }) => {
      const position = commonPosition(followers);
      for (const follower of followers) {
        // It begins anew for somebody else: whether the log still has all that this one has missed, nobody says.
        if (!position && follower.position && !(seamless && follower.active)) reset(follower);
      }
      return { ...topic, position };
    });
    positions = topics.map(({ position }) => position);
    const present = asked.flatMap(({ followers }) => [...followers]);
    const response = await connect(topics, signal, topics.length > 1);
    for (const follower of present) follower.active = true;
    if (status === 'live') tellStatus();
    return response;
  }

  /** Finds whose event it is: it is the one whose position has moved. */
  function take(event: StreamEvent): void {
    const parts = asked.length > 1 ? (event.id?.split(',') ?? []) : [event.id ?? ''];
    const index = parts.findIndex((part, i) => part !== positions[i]);
    // Events without an id: those of many jobs, a reset of the only one, and `unauthorized`, of which the next answer says more.
    const moved = parts.length === asked.length && index >= 0;
    if (!moved && event.event !== 'reset' && asked[0]?.topic.kind !== 'jobs') return;
    for (const [i, member] of asked.entries()) {
      if (!moved || i === index) deliver(member, event, moved ? parts[i]! : '');
    }
    if (moved) positions = parts;
  }

  function deliver(member: Member, event: StreamEvent, position: string): void {
    const { topic, followers } = member;
    const over = topic.kind === 'job' && !topic.stays && isTerminal(event.event);
    for (const follower of [...followers]) {
      give(follower, event, position);
      if (over && follower.active) {
        followers.delete(follower);
        follower.onEnd();
      }
    }
    // The service ends its part by itself: the connection stays as it is for the others.
    if (over && followers.size === 0) remove(member);
  }

  /** A refusal says nothing of whose it is: asks for each. Those that are refused may have more luck alone. */
  async function findRefused(): Promise<boolean> {
    if (asked.length === 1) return false;
    let found = false;
    for (const member of asked) {
      const { topic, followers } = member;
      const probe = new AbortController();
      await connect([{ ...topic, position: '' }], probe.signal, true).catch((error) => {
        if (isPassing(error)) return;
        found = true;
        const refused = [...followers];
        followers.clear();
        remove(member);
        for (const follower of refused) follower.onExpel?.(follower.position);
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
    // Another one may have taken its place: a job that runs again.
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
      // A token that opens it may come with a later one.
      member.topic = { ...topic, token: topic.token ?? member.topic.token };
      members.set(topic.name, member);
      const follower: Follower = { ...listener, position: topic.lastEventId ?? '', active: false };
      member.followers.add(follower);
      schedule();
      return () => {
        // A topic that nobody follows is not asked for any more.
        if (!member.followers.delete(follower) || member.followers.size > 0) return;
        remove(member);
        if (members.size > 0) schedule();
      };
    },
  };
}
