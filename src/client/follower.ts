import type { StreamEvent } from './parser.js';
import type { Listener } from './topic.js';

/** One listener of a topic, with its position in it. */
export interface Follower extends Listener {
  /** The id of the last event delivered; empty if there was none. */
  position: string;
  /**
   * Whether the open connection was requested with this follower. If not, that connection delivers nothing to it yet.
   */
  active: boolean;
}

/** The first characters of an epoch. A channel keeps them, and the order of its offsets, when Redis restarts. */
const PREFIX_LENGTH = 12;

/** Parses an id `epoch-offset`. The publisher's own part, after a colon, is ignored. */
function parse(position: string): [prefix: string, offset: number] {
  const [epoch = '', offset = ''] = position.split('-');
  return [epoch.slice(0, PREFIX_LENGTH), Number.parseInt(offset, 10)];
}

/**
 * Moves a follower to a position, unless it has been there already. Several followers of a topic share one connection,
 * which starts at the oldest position among them.
 * @returns whether it has moved
 */
export function moveTo(follower: Follower, position: string): boolean {
  const [prefix, offset] = parse(position);
  const [ownPrefix, ownOffset] = parse(follower.position);
  if (!follower.active || (prefix === ownPrefix && offset <= ownOffset)) return false;
  follower.position = position;
  return true;
}

/**
 * Delivers an event to a follower, unless the follower has received it already.
 * @param position the id of the event on its topic; empty for a `reset`
 */
export function deliver(follower: Follower, event: StreamEvent, position: string): void {
  if (moveTo(follower, position)) follower.onEvent({ ...event, id: position || undefined });
}

/** Sends a follower a `reset`: its earlier events may be outdated, and the current state follows. */
export function sendReset(follower: Follower): void {
  follower.position = '';
  follower.onEvent({ id: undefined, event: 'reset', data: '{"reason":"rejoined"}' });
}

/**
 * Returns the position from which one connection serves all followers. It is empty if a follower has no position or if
 * their epochs differ. A channel gets another epoch when Redis restarts, because the newest events may be lost: an offset
 * in one epoch has no meaning in another.
 */
export function commonPosition(followers: Iterable<Follower>): string {
  const positions = Array.from(followers, ({ position }) => position);
  const epochs = new Set(positions.map((position) => position.split('-')[0]));
  if (epochs.size > 1) return '';
  const parsed = positions.map(parse);
  const lowest = Math.min(...parsed.map(([, offset]) => offset));
  return positions[parsed.findIndex(([, offset]) => offset === lowest)] ?? '';
}
