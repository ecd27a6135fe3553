import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareClock } from '../../../src/client/cli/doctor/clock.js';
import { parseInfo } from '../../../src/client/cli/doctor/info.js';
import { checkLocal, checkRelease, isAtLeast } from '../../../src/client/cli/doctor/local.js';
import { checkInfo } from '../../../src/client/cli/doctor/redis.js';
import { checkReplicas, judgeSentinels } from '../../../src/client/cli/doctor/sentinel.js';
import { judgeTls } from '../../../src/client/cli/doctor/tls.js';
import { CliUser, jsonLines } from '../../support/cli.js';
import { type Headway, startHeadway } from '../../support/headway.js';
import { freePort } from '../../support/redis.js';

let headway: Headway;
let user: CliUser;
beforeAll(async () => {
  headway = await startHeadway({ appendOnly: true });
  user = new CliUser(headway.api.url, { REDIS_URL: headway.redis.url });
});
afterAll(() => headway.stop());

/** The level of each check, by name. */
const levels = (stdout: string): Record<string, string> =>
  Object.fromEntries(jsonLines(stdout).map(({ check, level }) => [check, level]));

describe('headway doctor', () => {
  it('finds no problems in a healthy service', async () => {
    const { code, stdout } = await user.run(['doctor', '--json']);
    expect(code).toBe(0);
    const found = levels(stdout);
    expect(found).toMatchObject({
      node: 'ok',
      api: 'ok',
      'api version': 'ok',
      'api ready': 'ok',
      'redis eviction': 'ok',
      'redis persistence': 'ok',
      workers: 'ok',
    });
    expect(Object.values(found)).not.toContain('problem');
    const { stdout: text } = await user.run(['doctor']);
    expect(text).toMatch(/^ok {7}headway/);
    expect(text).not.toContain('\x1b');
  });

  it('gives advice for an eviction policy that drops jobs, and for missing workers', async () => {
    await headway.connection.config('SET', 'maxmemory-policy', 'allkeys-lru');
    await headway.connection.config('SET', 'appendonly', 'no');
    await Promise.all(headway.workers.map((worker) => worker.kill()));
    const { code, stdout } = await user.run(['doctor']);
    await headway.connection.config('SET', 'maxmemory-policy', 'noeviction');
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /problem +redis eviction +allkeys-lru[^\n]*\n +Run CONFIG SET maxmemory-policy noeviction/,
    );
    expect(stdout).toMatch(/warning +redis persistence[^\n]*\n +Run CONFIG SET appendonly yes/);
    expect(stdout).toMatch(/problem +workers +no worker for [^\n]*steps[^\n]*\n +Start a worker/);
  });

  it('reports what does not respond', async () => {
    const port = await freePort();
    const { code, stdout } = await user.run(['doctor', '--json', '--url', `http://127.0.0.1:${port}`], {
      env: { REDIS_URL: `redis://:secret@127.0.0.1:${port}` },
    });
    expect(code).toBe(1);
    expect(levels(stdout)).toMatchObject({ node: 'ok', api: 'problem', redis: 'problem' });
    expect(stdout).not.toContain('secret');
    const withoutRedis = await user.run(['doctor', '--json'], { env: { REDIS_URL: '' } });
    expect(levels(withoutRedis.stdout)).toMatchObject({ api: 'ok', redis: 'skipped' });
    const token = await user.run(['doctor', '--json', '--token', 'wrong']);
    expect(token.code).toBe(1);
    expect(levels(token.stdout).token).toBe('problem');
  });
});

describe('the checks of headway doctor', () => {
  it.each([
    [
      'maxmemory_policy:noeviction\r\naof_enabled:1\r\naof_last_write_status:err',
      'redis persistence',
      'problem',
    ],
    ['maxmemory_policy:noeviction\r\nused_memory:900\r\nmaxmemory:1000', 'redis memory', 'warning'],
    ['connected_clients:9000\r\nmaxclients:10000', 'redis connections', 'warning'],
    ['role:slave', 'redis role', 'problem'],
    ['', 'redis eviction', 'problem'],
  ])('%j: %s is a %s', (info, check, level) => {
    expect(checkInfo(parseInfo(info)).find((finding) => finding.check === check)).toMatchObject({ level });
  });

  it('compare what Sentinels say', () => {
    const says = (sentinel: string, master: string) => ({ sentinel, master });
    const silent = { sentinel: 'c', error: new Error('connect ECONNREFUSED') };
    const judged = (...answers: Parameters<typeof judgeSentinels>[0]) => judgeSentinels(answers, 'm')[0];
    expect(judged(says('a', 'x:1'), says('b', 'x:1'), says('c', 'x:1'))).toMatchObject({
      level: 'ok',
      found: '3 of 3 name x:1 as m',
    });
    expect(judged(says('a', 'x:1'), says('b', 'y:1'), says('c', 'x:1'))).toMatchObject({
      level: 'problem',
      found: 'they disagree: a names x:1, b names y:1, c names x:1',
    });
    expect(judged(says('a', 'x:1'), says('b', 'x:1'), silent)).toMatchObject({
      level: 'warning',
      found: '2 of 3 name x:1 as m; not c (connect ECONNREFUSED)',
    });
    expect(judged(says('a', 'x:1'))).toMatchObject({
      level: 'warning',
      advice: expect.stringContaining('three'),
    });
    expect(judged(silent, { sentinel: 'd' })).toMatchObject({
      level: 'problem',
      found: expect.stringContaining('knows no master named "m"'),
    });
    expect(checkReplicas(parseInfo('connected_slaves:0'))).toMatchObject({ level: 'problem' });
    expect(checkReplicas(parseInfo('connected_slaves:2'))).toMatchObject({
      level: 'ok',
      found: '2 connected',
    });
  });

  it.each([
    [1.5, 'warning', 'TLSv1.3, certificate valid for 1 days'],
    [90, 'ok', 'TLSv1.3, certificate valid for 90 days'],
  ])('a certificate of Redis that is valid for %i days: %s', (days, level, found) => {
    expect(judgeTls('TLSv1.3', days)).toMatchObject({ level, found });
  });

  it('compare versions', () => {
    expect(isAtLeast('20.19.0', '20.19')).toBe(true);
    expect(isAtLeast('20.9.5', '20.19')).toBe(false);
    expect(isAtLeast('22.0.0', '20.19')).toBe(true);
    expect(checkLocal('1.0.0', '>=20.19', '18.0.0')[1]).toMatchObject({ level: 'problem', check: 'node' });
  });

  it.each([
    ['0.1.0', '0.1', 'ok'],
    ['0.1.0', '0.2', 'warning'],
    ['1.4.2', '1.0', 'ok'],
    ['1.4.2', '2.0', 'warning'],
    ['1.0.0', '10.0', 'warning'],
    ['0.1.0', undefined, 'warning'],
  ])('a command line %s and a service %s: %s', (own, service, level) => {
    expect(checkRelease(own, service)).toMatchObject({ level, check: 'api version' });
  });

  it('compare clocks', () => {
    expect(compareClock('c', 100, 500)).toEqual({ level: 'ok', check: 'c', found: 'in sync' });
    expect(compareClock('c', -61_000, 500)).toMatchObject({
      level: 'warning',
      found: '1 min behind this machine',
    });
  });
});
