import { expect, it } from 'vitest';
import { commonPosition, deliver, type Follower } from '../../src/client/follower.js';

/** The first 12 characters of an epoch are kept when Redis restarts. */
const LIFE = 'abcdefghijkl';
const BEFORE = `${LIFE}0000`;
const AFTER = `${LIFE}1111`;

function at(position: string): Follower & { got: Array<string | undefined> } {
  const got: Array<string | undefined> = [];
  return {
    position,
    active: true,
    got,
    onEvent: ({ id }) => void got.push(id),
    onStatus() {},
    onEnd() {},
  };
}

it.each([
  ['of one epoch starts at the oldest position', [`${BEFORE}-7`, `${BEFORE}-5`], `${BEFORE}-5`],
  ['including a new one starts at the beginning', [`${BEFORE}-7`, ''], ''],
  ['of unrelated epochs starts at the beginning', [`${BEFORE}-7`, 'zzzzzzzzzzzz0000-5'], ''],
  // Redis may have lost the offsets 4 to 7, so offsets of the two epochs cannot be compared.
  ['before and after a rewind starts at the beginning', [`${BEFORE}-7`, `${AFTER}-5`], ''],
  ['after and before a rewind starts at the beginning', [`${BEFORE}-5`, `${AFTER}-7`], ''],
])('a connection for followers %s', (_what, positions, common) => {
  expect(commonPosition(positions.map(at))).toBe(common);
});

it('delivers only new events to a follower, wherever the connection started', () => {
  const follower = at(`${BEFORE}-2`);
  for (const id of [`${BEFORE}-1`, `${BEFORE}-2`, `${AFTER}-3`]) {
    deliver(follower, { id, event: 'log', data: '' }, id);
  }
  expect(follower.got).toEqual([`${AFTER}-3`]);
});
