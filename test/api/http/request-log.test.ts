import { describe, expect, it } from 'vitest';
import { redactUrl } from '../../../src/api/http/request-log.js';

describe('a URL in a log', () => {
  it.each([
    ['/v1/jobs/1?token=abc', '/v1/jobs/1?token=[redacted]'],
    ['/a?x=1&token=abc&y=2', '/a?x=1&token=[redacted]&y=2'],
    ['/a?token=a&token=b', '/a?token=[redacted]&token=[redacted]'],
    ['/a?TOKEN=abc', '/a?TOKEN=[redacted]'],
    ['/a?%74oken=abc', '/a?%74oken=[redacted]'],
    ['/a?%74%6F%6b%65%6E=abc', '/a?%74%6F%6b%65%6E=[redacted]'],
    ['/a?+token=abc', '/a?+token=[redacted]'],
    ['/a?%zztoken=abc', '/a?%zztoken=[redacted]'],
    ['/a?x=token', '/a?x=token'],
    ['/a?b?token=abc', '/a?b?token=[redacted]'],
    [
      '/a?access_token=abc&Api-Key=d&password=e&%73ecret=f',
      '/a?access_token=[redacted]&Api-Key=[redacted]&password=[redacted]&%73ecret=[redacted]',
    ],
    ['/token=1', '/token=1'],
    ['/a?', '/a?'],
  ])('%s has no token: %s', (url, shown) => {
    expect(redactUrl(url)).toBe(shown);
  });
});
