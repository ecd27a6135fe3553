import type { StreamEvent } from './parser.js';
import type { Status } from './stream.js';
import type { Listener } from './topic.js';

/** What an id `epoch-offset` says; the publisher's own part after a colon does not matter here. */
function parse(position: string): { epoch: string; offset: number } {
  const dash = position.indexOf('-');
  return { epoch: position.slice(0, dash), offset: Number.parseInt(position.slice(dash + 1), 10) };
}

/**
 * One of those who follow a topic, and how far it has come. Several can follow the same one over one connection that
 * begins where the last of them is: each gets what is new to it.
 */
export class Follower {
  /** Whether the connection that is open was opened for it too: else what comes is not yet for it. */
  active = false;

  constructor(
    private readonly listener: Listener,
    /** The id of the last event that it has; empty for none. */
    public position: string,
  ) {}

  status(status: Status): void {
    if (this.active) this.listener.onStatus(status);
  }

  /** @param position the id of the event on its topic, empty for a `reset` */
  take(event: StreamEvent, position: string): void {
    if (!this.active) return;
    if (event.event === 'reset') return this.reset(event);
    const { epoch, offset } = parse(position);
    const own = parse(this.position);
    if (this.position && own.epoch === epoch && offset <= own.offset) return;
    this.position = position;
    this.listener.onEvent({ ...event, id: position });
  }

  /** What it knows may not hold any more: the present state follows. */
  reset(event: StreamEvent = { id: undefined, event: 'reset', data: '{"reason":"rejoined"}' }): void {
    this.position = '';
    this.listener.onEvent({ ...event, id: undefined });
  }

  end(...error: Parameters<Listener['onEnd']>): void {
    this.listener.onEnd(...error);
  }
}

/** The position from which a connection serves all of them: empty when one knows nothing, or their epochs differ. */
export function commonPosition(followers: Iterable<Follower>): string {
  const [first = '', ...others] = [...followers].map(({ position }) => position);
  return others.reduce((lowest, position) => {
    const [a, b] = [parse(lowest), parse(position)];
    if (!lowest || !position || a.epoch !== b.epoch) return '';
    return b.offset < a.offset ? position : lowest;
  }, first);
}
