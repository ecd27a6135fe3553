import { describe, expect, it } from 'vitest';
import { openApiDocument } from '../../../src/api/openapi/document.js';
import { ConfigError, readConfig } from '../../../src/shared/process/config.js';
import type { Logger } from '../../../src/shared/process/log.js';
import { basePathOf } from '../../../src/shared/process/public-url.js';
import { inOneProcess } from '../../../src/shared/process/settings.js';
import { startApi, startWorker } from '../../support/processes.js';

describe('the configuration', () => {
  it('has a default for every setting, and treats an empty variable as unset', () => {
    expect(readConfig({})).toMatchObject({ PORT: 3000, HOST: '127.0.0.1', PROGRESS_INTERVAL_MS: 100 });
    expect(readConfig({ PORT: '', DATA_DIR: '/d' })).toMatchObject({ PORT: 3000, FILES_DIR: '/d/files' });
  });

  it('runs an embedded service in one process, whatever is set', () => {
    const warnings: string[] = [];
    const log = { warn: (line: string) => warnings.push(line) } as unknown as Logger;
    const config = readConfig({ API_PROCESSES: 'max' });
    expect(inOneProcess(config, 'API_PROCESSES', log)).toEqual({ ...config, API_PROCESSES: 1 });
    expect(inOneProcess(config, 'WORKER_PROCESSES', log).API_PROCESSES).toBe(1);
    expect(warnings).toEqual(['API_PROCESSES is ignored: the application decides how many processes run']);
  });

  it.each([
    ['PORT', 'many'],
    ['PORT', '65536'],
    ['PORT', '1.5'],
    ['REDIS_URL', 'http://x'],
    ['KEY_PREFIX', 'a{b}'],
    ['WORKER_CONCURRENCY', '0'],
    ['API_PROCESSES', '0'],
    ['API_PROCESSES', '1.5'],
    ['WORKER_PROCESSES', 'many'],
    ['WORKER_PROCESSES', '257'],
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
  ])('rejects %s=%s', (name, value) => {
    expect(() => readConfig({ [name]: value })).toThrow(ConfigError);
    expect(() => readConfig({ [name]: value })).toThrow(new RegExp(`^${name}: `));
  });

  it('accepts origins as browsers send them, and shows how browsers would send the others', () => {
    const origins =
      'https://example.com, http://localhost:5173,http://[::1]:3000,https://xn--mnchen-3ya.example:8443';
    expect(readConfig({ CORS_ORIGINS: origins }).CORS_ORIGINS).toBe(origins);
    expect(() => readConfig({ CORS_ORIGINS: 'https://a.example,https://B.example:443/' })).toThrow(
      /https:\/\/B\.example:443\/ never matches: browsers send https:\/\/b\.example /,
    );
  });

  it.each([
    ['https://example.org', 'https://example.org', ''],
    ['https://example.org/', 'https://example.org', ''],
    ['https://example.org/headway', 'https://example.org/headway', '/headway'],
    ['https://example.org/headway/', 'https://example.org/headway', '/headway'],
    ['HTTPS://Example.org:443/Headway', 'https://example.org/Headway', '/Headway'],
    ['http://127.0.0.1:8080/a/b', 'http://127.0.0.1:8080/a/b', '/a/b'],
    ['http://[::1]:8080/a-b_c.d~e', 'http://[::1]:8080/a-b_c.d~e', '/a-b_c.d~e'],
    ['https://münchen.example/x', 'https://xn--mnchen-3ya.example/x', '/x'],
    ['https://example.org/admin/headway', 'https://example.org/admin/headway', '/admin/headway'],
    ['https://example.org/v1.2', 'https://example.org/v1.2', '/v1.2'],
    ['https://example.org/...', 'https://example.org/...', '/...'],
  ])('normalizes PUBLIC_URL=%s to %s', (given, normal, path) => {
    expect(readConfig({ PUBLIC_URL: given }).PUBLIC_URL).toBe(normal);
    expect(basePathOf(normal)).toBe(path);
  });

  it.each([
    ['headway', 'must be an address'],
    ['/headway', 'must be an address'],
    ['.', 'must be an address'],
    ['//example.org/headway', 'must be an address'],
    ['example.org/headway', 'must be an address'],
    ['https:example.org', 'must be an address'],
    ['https:/example.org', 'must be an address'],
    ['https:///headway', 'must be an address'],
    ['https://', 'must be an address'],
    ['https://exa mple.org', 'must be an address'],
    [' https://example.org', 'must be an address'],
    ['https://example.org/headway\n', 'must be an address'],
    ['https://example.org\\headway', 'its path must consist'],
    ['https://example.org:99999/headway', 'must be an address'],
    ['ftp://example.org/headway', 'must be an address'],
    ['ws://example.org/headway', 'must be an address'],
    ['file:///headway', 'must be an address'],
    ['https://ada@example.org/headway', 'must not have a user name'],
    ['https://ada:secret@example.org/headway', 'must not have a user name'],
    ['https://@example.org', 'must not have a user name'],
    ['https://example.org/headway?', 'must not have a query'],
    ['https://example.org/headway?a=1', 'must not have a query'],
    ['https://example.org?a', 'must not have a query'],
    ['https://example.org/headway#a', 'must not have a query'],
    ['https://example.org#', 'must not have a query'],
    ['https://example.org//', 'its path must consist'],
    ['https://example.org//headway', 'its path must consist'],
    ['https://example.org/headway//', 'its path must consist'],
    ['https://example.org/a/../headway', 'its path must consist'],
    ['https://example.org/./headway', 'its path must consist'],
    ['https://example.org/headway/..', 'its path must consist'],
    ['https://example.org/%2e%2e/headway', 'its path must consist'],
    ['https://example.org/a%2Fb', 'its path must consist'],
    ['https://example.org/%41', 'its path must consist'],
    ['https://example.org/a b', 'must be an address'],
    ['https://example.org/über', 'its path must consist'],
    ['https://example.org/a;b', 'its path must consist'],
    ['https://example.org/"a"', 'its path must consist'],
    ['https://example.org/a\\b', 'its path must consist'],
    ['https://example.org/v1', '/v1'],
    ['https://example.org/V1/headway', '/v1'],
    ['https://example.org/admin', '/admin/queues'],
    ['https://example.org/dashboard/headway', '/dashboard'],
  ])('rejects PUBLIC_URL=%s: %s', (given, why) => {
    expect(() => readConfig({ PUBLIC_URL: given })).toThrow(why);
  });

  it('rejects every path of the service as the path of PUBLIC_URL', async () => {
    const { paths } = (await openApiDocument(new Map(), '')) as { paths: Record<string, unknown> };
    for (const path of [...Object.keys(paths), '/docs', '/assets', '/favicon.svg', '/client']) {
      const plain = path.replace(/\{(\w+)\}/g, '$1').replace(':', '/');
      expect(() => readConfig({ PUBLIC_URL: `https://example.org${plain}` })).toThrow('conflicts with');
    }
  });

  it('reports each mistake on its own line, and never prints a secret', () => {
    let error: unknown;
    try {
      readConfig({ PORT: 'x', LOG_LEVEL: 'y', TOKEN_SECRET: 'too-short' });
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as ConfigError).problems).toHaveLength(3);
    expect((error as ConfigError).message).not.toContain('too-short');
  });

  it.each([
    ['api', startApi],
    ['worker', startWorker],
  ])(
    'stops the %s process with one line per mistake and exit code 78 if it is invalid',
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
});
