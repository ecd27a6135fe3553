import { isPassing, type ProblemError } from './errors.js';
import { commonPosition, Follower } from './follower.js';
import type { StreamEvent } from './parser.js';
import { openStream, type Status, type Stream } from './stream.js';
import { isTerminal, type Listener, type Topic } from './topic.js';

/** Asks for the stream of so many topics, each from its position. @throws ProblemError when it is refused */
export type Connect = (
  members: Array<Topic & { position: string }>,
  signal?: AbortSignal,
) => Promise<Response>;

/** The connection is not made anew more often than this for those who join and leave, in ms. */
const REOPEN_MS = 250;

interface Member {
  topic: Topic;
  followers: Set<Follower>;
}

/** One connection for several topics of a kind; it is made again as they join and leave. */
export class Group {
  private readonly members = new Map<string, Member>();
  /** What the open connection was asked for, in this order, and the position of each. */
  private asked: Member[] = [];
  private positions: string[] = [];
  private status: Status = 'connecting';
  /** The last connection was live until it was given up for the one that is being made. */
  private seamless = true;
  private stream: Stream | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private openedAt = 0;

  constructor(
    private readonly connect: Connect,
    private readonly silenceMs: number,
    /** It has no members any more. */
    private readonly onEmpty: () => void,
  ) {}

  get size(): number {
    return this.members.size;
  }

  has(name: string): boolean {
    return this.members.has(name);
  }

  join(topic: Topic, listener: Listener): () => void {
    const member = this.members.get(topic.name) ?? { topic, followers: new Set() };
    // A token that opens it may come with a later one.
    member.topic = { ...member.topic, token: topic.token ?? member.topic.token };
    this.members.set(topic.name, member);
    const follower = new Follower(listener, topic.lastEventId ?? '');
    member.followers.add(follower);
    this.schedule();
    return () => {
      if (member.followers.delete(follower)) this.left(member);
    };
  }

  /** A topic that nobody follows is not asked for any more. */
  private left(member: Member): void {
    if (member.followers.size > 0 || !this.members.delete(member.topic.name)) return;
    if (this.members.size === 0) this.close();
    else this.schedule();
  }

  private schedule(): void {
    this.timer ??= setTimeout(
      () => {
        this.timer = undefined;
        this.seamless = this.status === 'live';
        this.openedAt = Date.now();
        if (this.stream) this.stream.restart();
        else this.open();
      },
      Math.max(0, this.openedAt + REOPEN_MS - Date.now()),
    );
  }

  private open(): void {
    this.status = 'connecting';
    this.stream = openStream({
      connect: (signal) => this.ask(signal),
      onEvent: (event) => this.take(event),
      onStatus: (status) => {
        this.seamless = false;
        this.become(status);
      },
      onRefused: () => this.findRefused(),
      onEnd: (error) => {
        if (!this.stream) return;
        this.stream = undefined;
        this.end(this.asked, error);
        // Those who came too late for it.
        if (this.members.size > 0) this.schedule();
      },
      silenceMs: this.silenceMs,
    });
  }

  private become(status: Status): void {
    this.status = status;
    if (status === 'ended') return;
    for (const { followers } of this.members.values()) {
      for (const follower of followers) follower.status(status);
    }
  }

  private async ask(signal: AbortSignal): Promise<Response> {
    const { seamless } = this;
    this.asked = [...this.members.values()];
    const asked = this.asked.map(({ topic, followers }) => {
      const position = commonPosition(followers);
      for (const follower of followers) {
        // It begins anew for somebody else: whether the log still has all that this one has missed, nobody says.
        if (!position && follower.position && !(seamless && follower.active)) follower.reset();
      }
      return { ...topic, position };
    });
    this.positions = asked.map(({ position }) => position);
    const present = this.asked.flatMap(({ followers }) => [...followers]);
    const response = await this.connect(asked, signal);
    for (const follower of present) follower.active = true;
    if (response.ok && this.status === 'live') this.become('live');
    return response;
  }

  /** Finds whose event it is: it is the one whose position has moved. */
  private take(event: StreamEvent): void {
    // The next answer says whether there is another token.
    if (event.event === 'unauthorized') return;
    const parts = this.asked.length > 1 ? event.id?.split(',') : [event.id ?? ''];
    if (parts?.length !== this.asked.length) {
      for (const member of this.asked) this.deliver(member, event, '');
      return;
    }
    const index = Math.max(
      0,
      parts.findIndex((part, i) => part !== this.positions[i]),
    );
    this.positions = parts;
    this.deliver(this.asked[index]!, event, parts[index]!);
  }

  private deliver(member: Member, event: StreamEvent, position: string): void {
    if (!position && event.event !== 'reset') return;
    const over = member.topic.kind === 'job' && isTerminal(event.event);
    for (const follower of [...member.followers]) {
      follower.take(event, position);
      if (over && follower.active) {
        member.followers.delete(follower);
        follower.end();
      }
    }
    // The service ends its part by itself: the connection stays as it is for the others.
    if (over && member.followers.size === 0) {
      this.members.delete(member.topic.name);
      if (this.members.size === 0) this.close();
    }
  }

  /** A refusal says nothing of whose it is: asks for each alone. */
  private async findRefused(): Promise<boolean> {
    if (this.asked.length === 1) return false;
    const refused: Member[] = [];
    for (const member of this.asked) {
      const alone = new AbortController();
      await this.connect([{ ...member.topic, position: '' }], alone.signal).catch((error) => {
        if (isPassing(error)) return;
        refused.push(member);
        this.end([member], error);
      });
      alone.abort();
    }
    return refused.length > 0 && this.members.size > 0;
  }

  private end(members: Member[], error?: ProblemError): void {
    for (const member of members) {
      const { topic, followers } = member;
      if (this.members.get(topic.name) === member) this.members.delete(topic.name);
      for (const follower of followers) follower.end(error);
      followers.clear();
    }
    if (this.members.size === 0) this.close();
  }

  private close(): void {
    clearTimeout(this.timer);
    const { stream } = this;
    this.stream = undefined;
    stream?.close();
    this.onEmpty();
  }
}
