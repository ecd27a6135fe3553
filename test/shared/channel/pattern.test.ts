import { describe, expect, it } from 'vitest';
import { isPattern, matches } from '../../../src/shared/channel/pattern.js';

describe('a pattern', () => {
  it.each([
    ['score', 'score', true],
    ['score', 'scores', false],
    ['score.*', 'score.cricket', true],
    ['score.*', 'score.cricket.india', false],
    ['score.*', 'score', false],
    ['score.**', 'score.cricket.india', true],
    ['**', 'anything.at:all', true],
    ['*.live', 'cricket.live', true],
    ['a.b', 'axb', false],
    ['a-b', 'a-b', true],
    ['users.{sub}', 'users.ada', true],
    ['users.{sub}', 'users.grace', false],
    ['users.{sub}.**', 'users.ada.mail.new', true],
    ['{tenant}.**', 'acme.orders', true],
    ['{tenant}.**', 'other.orders', false],
  ])('%s fits %s: %s', (pattern, name, fits) => {
    expect(isPattern(pattern)).toBe(true);
    expect(matches(pattern, name, { sub: 'ada', tenant: 'acme' })).toBe(fits);
  });

  it('matches nothing if the principal lacks the value', () => {
    for (const name of ['users.', 'users.undefined', 'users.{sub}', 'users.x']) {
      expect(matches('users.{sub}', name, {})).toBe(false);
    }
  });

  it('matches the values of a principal literally, even if they look like a pattern', () => {
    for (const sub of ['*', '**', '.*', 'a|b', '(.*)', '[^x]', '{tenant}']) {
      expect(matches('users.{sub}', 'users.ada', { sub, tenant: 'ada' })).toBe(false);
    }
    expect(matches('users.{sub}', 'users.a.b', { sub: 'a.b' })).toBe(true);
    expect(matches('users.{sub}', 'users.axb', { sub: 'a.b' })).toBe(false);
  });

  it.each(['', 'a b', 'a\nb', '{user}', 'a{', '(a)', '*a*b*c*', 'x'.repeat(201)])(
    '%j is not a pattern',
    (text) => {
      expect(isPattern(text)).toBe(false);
    },
  );
});
