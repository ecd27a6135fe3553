import type { StreamEvent } from './parser.js';
import type { Listener } from './topic.js';

/** One of those who follow a topic. */
export interface Follower extends Listener {
  /** The id of the last event that it has; empty for none. */
  position: string;
  /** Whether the connection that is open was opened for it too: else what comes is not yet for it. */
  active: boolean;
}

/** A channel keeps this much of its epoch, and the order of its offsets, when Redis is started again. */
const LIFE_LENGTH = 12;

/** Reads an id `epoch-offset`; the publisher's own part after a colon does not matter here. */
function parse(position: string): [life: string, offset: number] {
  const [epoch, offset] = position.split('-');
  return [epoch!.slice(0, LIFE_LENGTH), Number.parseInt(offset!, 10)];
}

/**
 * Gives an event to a follower. Several can follow the same topic over one connection that begins where the last of them
 * is: each gets what is new to it.
 * @param position the id of the event on its topic, empty for a `reset`
 */
export function give(follower: Follower, event: StreamEvent, position: string): void {
  const [life, offset] = parse(position);
  const [ownLife, ownOffset] = parse(follower.position);
  if (!follower.active || (life === ownLife && offset <= ownOffset)) return;
  follower.position = position;
  follower.onEvent({ ...event, id: position || undefined });
}

/** Tells a follower that what it knows may not hold any more: the present state follows. */
export function reset(follower: Follower): void {
  follower.position = '';
  follower.onEvent({ id: undefined, event: 'reset', data: '{"reason":"rejoined"}' });
}

/**
 * The position from which a connection serves all of them: empty when one knows nothing, or when their epochs differ. Within
 * one life of the channel, epochs differ when Redis was started again, which may have lost the newest events: then an
 * offset of one epoch says nothing about the other.
 */
export function commonPosition(followers: Iterable<Follower>): string {
  const positions = Array.from(followers, ({ position }) => position);
  const epochs = new Set(positions.map((position) => position.split('-')[0]));
  if (epochs.size > 1) return '';
  const parsed = positions.map(parse);
  const lowest = Math.min(...parsed.map(([, offset]) => offset));
  return positions[parsed.findIndex(([, offset]) => offset === lowest)] ?? '';
}
