import type { StreamEvent } from './parser.js';
import type { Listener } from './topic.js';

/** One of those who follow a topic. */
export interface Follower extends Listener {
  /** The id of the last event that it has; empty for none. */
  position: string;
  /** Whether the connection that is open was opened for it too: else what comes is not yet for it. */
  active: boolean;
}

/** What an id `epoch-offset` says; the publisher's own part after a colon does not matter here. */
function parse(position: string): [epoch: string, offset: number] {
  const [epoch, offset] = position.split('-');
  return [epoch!, Number.parseInt(offset!, 10)];
}

/**
 * Gives an event to a follower. Several can follow the same topic over one connection that begins where the last of them
 * is: each gets what is new to it.
 * @param position the id of the event on its topic, empty for a `reset`
 */
export function give(follower: Follower, event: StreamEvent, position: string): void {
  const [epoch, offset] = parse(position);
  const [ownEpoch, ownOffset] = parse(follower.position);
  if (!follower.active || (epoch === ownEpoch && offset <= ownOffset)) return;
  follower.position = position;
  follower.onEvent({ ...event, id: position || undefined });
}

/** Tells a follower that what it knows may not hold any more: the present state follows. */
export function reset(follower: Follower): void {
  follower.position = '';
  follower.onEvent({ id: undefined, event: 'reset', data: '{"reason":"rejoined"}' });
}

/** The position from which a connection serves all of them: empty when one knows nothing, or their epochs differ. */
export function commonPosition(followers: Iterable<Follower>): string {
  const positions = Array.from(followers, ({ position }) => position);
  const parsed = positions.map(parse);
  if (parsed.some(([epoch]) => epoch !== parsed[0]![0])) return '';
  const lowest = Math.min(...parsed.map(([, offset]) => offset));
  return positions[parsed.findIndex(([, offset]) => offset === lowest)] ?? '';
}
