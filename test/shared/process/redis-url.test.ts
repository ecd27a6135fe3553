import { describe, expect, it } from 'vitest';
import { ConfigError, readConfig, readRedisSettings } from '../../../src/shared/process/config.js';
import { isSecretSetting, secretsOf } from '../../../src/shared/process/redact.js';
import { REDIS_SETTINGS } from '../../../src/shared/process/redis-settings.js';
import { parseRedisUrl } from '../../../src/shared/process/redis-url.js';
import { librarySettings } from '../../../src/shared/process/settings.js';
import { addressOptions } from '../../../src/shared/redis/address.js';
import { redactRedisUrl } from '../../../src/shared/redis/unusable.js';
import { block } from '../../support/documentation.js';

const TCP = { db: 0, tls: false };
const ONE = [{ host: 's', port: 26379 }];

describe('REDIS_URL', () => {
  it.each<[string, object]>([
    ['redis://h', { ...TCP, host: 'h', port: 6379 }],
    ['redis://', { ...TCP, host: 'localhost', port: 6379 }],
    ['redis://h:1/', { ...TCP, host: 'h', port: 1 }],
    ['redis://h:1/15', { ...TCP, host: 'h', port: 1, db: 15 }],
    ['redis://h?db=3&family=6', { ...TCP, host: 'h', port: 6379, db: 3, family: 6 }],
    ['rediss://[::1]:2', { db: 0, tls: true, host: '::1', port: 2 }],
    ['redis://:p@h', { ...TCP, host: 'h', port: 6379, password: 'p' }],
    ['redis://u@h', { ...TCP, host: 'h', port: 6379, username: 'u' }],
    ['redis://u:a:b@c@h', { ...TCP, host: 'h', port: 6379, username: 'u', password: 'a:b@c' }],
    ['redis://u:%40%2F%25@h', { ...TCP, host: 'h', port: 6379, username: 'u', password: '@/%' }],
    ['unix:/run/r.sock', { ...TCP, path: '/run/r.sock' }],
    ['unix:data/r.sock', { ...TCP, path: 'data/r.sock' }],
    ['unix:///run/r.sock?db=2', { ...TCP, path: '/run/r.sock', db: 2 }],
    ['unix://u:p@/run/a@b%20c#d?e', { ...TCP, path: '/run/a@b%20c#d?e', username: 'u', password: 'p' }],
    ['redis+cluster://a', { ...TCP, nodes: [{ host: 'a', port: 6379 }] }],
    [
      'rediss+cluster://u:p%40@a:7000,[fd00::1]:5/',
      {
        db: 0,
        tls: true,
        nodes: [
          { host: 'a', port: 7000 },
          { host: 'fd00::1', port: 5 },
        ],
        username: 'u',
        password: 'p@',
      },
    ],
    ['redis+sentinel://s/m', { ...TCP, sentinels: ONE, name: 'm' }],
    [
      'rediss+sentinel://u:p%40@s,[fd00::1]:5/my%20master/4',
      {
        db: 4,
        tls: true,
        sentinels: [...ONE, { host: 'fd00::1', port: 5 }],
        name: 'my master',
        username: 'u',
        password: 'p@',
      },
    ],
  ])('%s', (url, expected) => {
    expect(parseRedisUrl(url)).toEqual(expected);
    expect(readConfig({ REDIS_URL: url }).REDIS_URL).toBe(url);
  });

  it.each<[string, RegExp]>([
    ['http://h', /must be redis:\/\//],
    ['h:6379', /must be redis:\/\//],
    ['REDIS://h', /must be redis:\/\//],
    ['redis:h', /not a valid URL/],
    ['redis://h:99999', /not a valid URL/],
    ['redis://:p#ss@h', /%23/],
    ['redis://:p/ss@h', /%2F/],
    ['redis://:100%@h', /%25/],
    ['redis://h/first', /database must be a number/],
    ['redis://h/-1', /database must be a number/],
    ['redis://h?ssl_cert_reqs=none', /must not have "\?ssl_cert_reqs="/],
    ['redis://h?family=5', /family must be 4 or 6/],
    ['redis://a:1,b:2', /one server.*redis\+cluster:\/\/.*redis\+sentinel:\/\//],
    ['redis+cluster://', /redis\+cluster:\/\/\[user:password@\]host/],
    ['redis+cluster://a:1,,b', /host:6379,host:6379/],
    ['redis+cluster://a/1', /without a database/],
    ['unix:', /path of a socket/],
    ['unix://', /path of a socket/],
    ['redis+sentinel://s', /name of the master/],
    ['redis+sentinel://s/', /name of the master/],
    ['redis+sentinel:///m', /redis\+sentinel:\/\/\[user:password@\]host/],
    ['redis+sentinel://a,,b/m', /host:26379,host:26379/],
    ['redis+sentinel://a:x/m', /host:26379,host:26379/],
    ['redis+sentinel://a/m/x', /database must be a number/],
    ['redis+sentinel://a/m/0?db=1', /host:26379,host:26379/],
  ])('%s is refused', (url, message) => {
    let error: unknown;
    try {
      readConfig({ REDIS_URL: url });
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as Error).message).toMatch(/^REDIS_URL: /);
    expect((error as Error).message).toMatch(message);
    if (url.includes('@')) expect((error as Error).message).not.toContain(url);
    expect(() => addressOptions({ REDIS_URL: url })).toThrow(/^REDIS_URL: /);
  });

  it('does not show a password', () => {
    const urls = [
      'redis://u:p%40s@ge@h:1/0',
      'unix://u:p%40s@ge@/s',
      'redis+sentinel://u:p%40s@ge@a:1,b:2/m',
    ];
    for (const url of urls) {
      expect(redactRedisUrl(url)).toMatch(/^[a-z+]+:\/\/\*\*\*@/);
      expect(redactRedisUrl(url)).not.toMatch(/s@ge|p%40/);
      expect(secretsOf({ REDIS_URL: url })).toEqual(['p%40s@ge', 'p@s@ge']);
    }
    expect(redactRedisUrl('unix:///run/a@b')).toBe('unix:///run/a@b');
    expect(secretsOf({ REDIS_URL: 'redis://h:1/0', REDIS_PASSWORD: 'sesame' })).toContain('sesame');
    expect(['REDIS_PASSWORD', 'REDIS_SENTINEL_PASSWORD'].every(isSecretSetting)).toBe(true);
  });
});

describe('the other settings of Redis', () => {
  it.each(['redis-tls', 'redis-sentinel', 'redis-cluster'])('are documented as they are read: %s', (name) => {
    const env = Object.fromEntries(
      block(name)
        .trim()
        .split('\n')
        .map((line) => line.split(/=(.*)/).slice(0, 2)),
    ) as Record<string, string>;
    expect(Object.keys(env).length).toBeGreaterThan(1);
    const named = Object.keys(env).map((setting) => setting.replace(/(PASSWORD)_FILE$/, '$1'));
    expect(REDIS_SETTINGS).toEqual(expect.arrayContaining(named));
    expect(() => parseRedisUrl(env.REDIS_URL!)).not.toThrow();
  });

  it.each<[Record<string, string>, RegExp]>([
    [{ REDIS_SENTINEL_PASSWORD: 'p' }, /^REDIS_SENTINEL_PASSWORD: has no effect.*redis\+sentinel/],
    [{ REDIS_CLUSTER: 'true', REDIS_URL: 'unix:/s' }, /^REDIS_CLUSTER: has no effect/],
    [{ REDIS_CLUSTER: 'true', REDIS_URL: 'redis://h/1' }, /^REDIS_URL: must not have a database/],
    [{ REDIS_TLS_CA_FILE: '/ca' }, /^REDIS_TLS_CA_FILE: has no effect.*rediss:\/\//],
    [{ REDIS_TLS_SERVER_NAME: 'redis' }, /^REDIS_TLS_SERVER_NAME: has no effect/],
    [{ REDIS_PASSWORD_FILE: '/nowhere' }, /^REDIS_PASSWORD_FILE: cannot read \/nowhere \(ENOENT\)/],
  ])('%j is refused', (env, message) => {
    expect(() => readRedisSettings(env)).toThrow(message);
    expect(() => readConfig(env)).toThrow(message);
  });

  it('are the defaults of the address: a password in the URL takes precedence', () => {
    const passwordOf = (env: Record<string, string>) => addressOptions(readRedisSettings(env)).password;
    expect(passwordOf({ REDIS_URL: 'redis://u@h', REDIS_PASSWORD: 'p@%' })).toBe('p@%');
    expect(passwordOf({ REDIS_URL: 'redis://u:q@h', REDIS_PASSWORD: 'p' })).toBe('q');
    expect(passwordOf({})).toBeUndefined();
  });

  it('of the environment are not used for an address that a program passes', () => {
    const { REDIS_URL, REDIS_PASSWORD } = process.env;
    Object.assign(process.env, { REDIS_URL: 'redis://env', REDIS_PASSWORD: 'of-env' });
    try {
      expect(librarySettings({ jobs: [] })).toMatchObject({ REDIS_PASSWORD: 'of-env' });
      expect(librarySettings({ jobs: [], redis: 'redis://given' })).toMatchObject({
        REDIS_URL: 'redis://given',
        REDIS_PASSWORD: '',
      });
      const settings = { REDIS_PASSWORD: 'given' };
      expect(librarySettings({ jobs: [], redis: 'redis://given', settings }).REDIS_PASSWORD).toBe('given');
    } finally {
      for (const [name, value] of Object.entries({ REDIS_URL, REDIS_PASSWORD })) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
    }
  });
});
