import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ConfigError, configSchema, readConfig } from '../../src/shared/config.js';
import { startApi, startWorker } from '../support/processes.js';

describe('the configuration', () => {
  it('has a default for everything, and an empty variable counts as unset', () => {
    expect(readConfig({})).toMatchObject({ PORT: 3000, HOST: '127.0.0.1', PROGRESS_INTERVAL_MS: 100 });
    expect(readConfig({ PORT: '', DATA_DIR: '/d' })).toMatchObject({ PORT: 3000, FILES_DIR: '/d/files' });
  });

  it.each([
    ['PORT', 'many'],
    ['PORT', '65536'],
    ['PORT', '1.5'],
    ['REDIS_URL', 'http://x'],
    ['KEY_PREFIX', 'a{b}'],
    ['WORKER_CONCURRENCY', '0'],
    ['PROGRESS_INTERVAL_MS', '-1'],
    ['HEARTBEAT_MS', '1'],
    ['LOG_LEVEL', 'loud'],
    ['TOKEN_SECRET', 'short'],
    ['WEBHOOK_SECRET', 'not a secret'],
    ['WEBHOOK_HOSTS', 'https://example.com'],
    ['WEBHOOK_ALLOW_PRIVATE', 'perhaps'],
    ['TRUST_PROXY', 'example.com'],
    ['TRUST_PROXY', '10.0.0.0/33'],
    ['TRUST_PROXY', 'loopback,none'],
    ['CORS_ORIGINS', 'example.com'],
    ['CORS_ORIGINS', 'https://Example.com'],
    ['CORS_ORIGINS', 'HTTPS://example.com'],
    ['CORS_ORIGINS', 'https://example.com/'],
    ['CORS_ORIGINS', 'https://example.com/app'],
    ['CORS_ORIGINS', 'https://example.com?x'],
    ['CORS_ORIGINS', 'https://example.com#x'],
    ['CORS_ORIGINS', 'https://example.com:443'],
    ['CORS_ORIGINS', 'http://example.com:80'],
    ['CORS_ORIGINS', 'http://example.com:080'],
    ['CORS_ORIGINS', 'https://example.com:'],
    ['CORS_ORIGINS', 'https://user@example.com'],
    ['CORS_ORIGINS', 'https://*.example.com'],
    ['CORS_ORIGINS', '*'],
    ['CORS_ORIGINS', 'null'],
    ['CORS_ORIGINS', 'https://münchen.example'],
    ['CORS_ORIGINS', 'http://127.1'],
    ['CORS_ORIGINS', 'http://[0:0::1]'],
    ['CORS_ORIGINS', 'https://exa mple.com'],
    ['CORS_ORIGINS', 'https://example.com:99999'],
    ['CORS_ORIGINS', 'https://'],
    ['CORS_ORIGINS', 'ws://example.com'],
    ['CORS_ORIGINS', 'https://a.example https://b.example'],
    ['CORS_ORIGINS', 'https://a.example,,https://b.example'],
    ['CORS_ORIGINS', 'https://a.example, https://B.example'],
  ])('refuses %s=%s', (name, value) => {
    expect(() => readConfig({ [name]: value })).toThrow(ConfigError);
    expect(() => readConfig({ [name]: value })).toThrow(new RegExp(`^${name}: `));
  });

  it('takes origins as browsers send them, and says how they would send others', () => {
    const origins =
      'https://example.com, http://localhost:5173,http://[::1]:3000,https://xn--mnchen-3ya.example:8443';
    expect(readConfig({ CORS_ORIGINS: origins }).CORS_ORIGINS).toBe(origins);
    expect(() => readConfig({ CORS_ORIGINS: 'https://a.example,https://B.example:443/' })).toThrow(
      /https:\/\/B\.example:443\/ never matches: browsers send https:\/\/b\.example /,
    );
  });

  it('says every mistake in one line of its own, and never repeats a secret', () => {
    try {
      readConfig({ PORT: 'x', LOG_LEVEL: 'y', TOKEN_SECRET: 'hush' });
      expect.unreachable();
    } catch (error) {
      expect((error as ConfigError).problems).toHaveLength(3);
      expect((error as ConfigError).message).not.toContain('hush');
    }
  });

  it.each([
    ['api', startApi],
    ['worker', startWorker],
  ])(
    'that is wrong stops the %s process with one line per mistake and exit code 78',
    async (_name, start) => {
      const error = (await start({ PORT: 'x', LOG_LEVEL: 'loud' }).catch((thrown) => thrown)) as {
        code: number;
        output: string;
      };
      expect(error.code).toBe(78);
      expect(error.output.trim().split('\n')).toEqual([
        expect.stringMatching(/^error: PORT: .*"x"/),
        expect.stringMatching(/^error: LOG_LEVEL: .*"loud"/),
      ]);
    },
  );

  it('is documented in the README, each setting with its default and what it does', () => {
    const readme = readFileSync('README.md', 'utf8');
    const rows = [...readme.matchAll(/^\| `([A-Z_]+)` \| (.*?) \| (.*) \|$/gm)].map(
      ([, name, value, text]) => ({
        name,
        value,
        text,
      }),
    );
    const expected = Object.entries(configSchema.shape).map(([name, schema]) => {
      const { defaultValue } = schema.def as { defaultValue?: unknown };
      return { name, value: defaultValue === '' ? '' : `\`${defaultValue}\``, text: schema.description };
    });
    expect(rows).toEqual(expected);
  });
});
