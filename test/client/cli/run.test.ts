import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProgressFilter } from '../../../src/client/cli/views/plain.js';
import { CliUser, capture, jsonLines } from '../../support/cli.js';
import type { Headway } from '../../support/headway.js';
import { startApi } from '../../support/processes.js';
import { borrowHeadway } from '../../support/shared-headway.js';

let headway: Headway;
let user: CliUser;
beforeAll(async () => {
  headway = await borrowHeadway();
  user = new CliUser(headway.api.url);
});
afterAll(() => headway.stop());

/** The control characters that must not appear in the output. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the expression matches control characters
const CONTROL = /[\x00-\x09\x0b-\x1f\x7f-\x9f]/;

describe('headway run', () => {
  it('prints only the result to standard output, everything else to standard error, and exits with 0', async () => {
    const { code, stdout, stderr } = await user.run(['run', 'steps', '-d', '{"count":3,"intervalMs":10}']);
    expect(JSON.parse(stdout)).toEqual({ steps: 3 });
    expect(stderr).toMatch(/^Started: steps steps\.[0-9a-f-]{36}\n/);
    expect(stderr).toMatch(/\nCompleted\n$/);
    expect(code).toBe(0);
  });

  it('exits with 1 for a job that fails, and prints the reason and the attempts', async () => {
    const { code, stdout, stderr } = await user.run([
      'run',
      'flaky',
      '-d',
      '{"failures":3}',
      '--attempts',
      '2',
    ]);
    expect(stderr).toMatch(/\nAttempt 1 of 2 failed: no luck \(retrying in \d+ ms\)\n/);
    expect(stderr).toContain('\nAttempt 2 of 2\n');
    expect(stderr).toMatch(/\nFailed: no luck\n$/);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  });

  it('uploads a file for the field that takes one, and saves the whole result into a folder', async () => {
    writeFileSync(join(user.home, 'people.csv'), 'name,age\nAda,36\nGrace,45\nAlan,unknown\n');
    const args = ['run', 'csv-import', '--file', 'people.csv', '--output', 'out'];
    const { code, stdout, stderr } = await user.run(args);
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(stderr).toContain('100%  upload  38 B of 38 B');
    expect(stderr).toContain('\nWarning: 1 of 3 rows rejected: 1 × not of type integer\n');
    const saved = readdirSync(join(user.home, 'out'));
    const result = JSON.parse(readFileSync(join(user.home, 'out', 'result.json'), 'utf8'));
    expect(result).toMatchObject({ rows: 3, imported: 2, rejected: 1 });
    expect(saved.sort()).toEqual(['result.json', result.database.name, result.report.name].sort());
    expect(readFileSync(join(user.home, 'out', result.report.name), 'utf8')).toContain('unknown');
  });

  it('fails if no row of a file could be imported, unless that is allowed', async () => {
    writeFileSync(join(user.home, 'ragged.csv'), 'a,b,c\n1,2\n3,4\n');
    const args = ['run', 'csv-import', '-f', 'ragged.csv', '-d'];
    const failed = await user.run([...args, '{"delimiter":","}']);
    expect(failed.code).toBe(1);
    expect(failed.stderr).toMatch(
      /\nFailed: no rows were imported: all 2 were rejected \(2 × 2 fields instead of 3\)/,
    );
    const allowed = await user.run([...args, '{"delimiter":",","allowEmpty":true}']);
    expect(allowed.code).toBe(0);
    expect(allowed.stderr).toContain('\nWarning: 2 of 2 rows rejected: 2 × 2 fields instead of 3\n');
    expect(JSON.parse(allowed.stdout)).toMatchObject({ rows: 2, imported: 0, rejected: 2 });
  });

  it('reads a file from standard input, and data from a file', async () => {
    writeFileSync(join(user.home, 'data.json'), '{"algorithm":"md5"}');
    const args = ['run', 'checksum', '-f', 'file=-', '-d', '@data.json'];
    const { code, stdout } = await user.run(args, { input: 'hello' });
    expect(JSON.parse(stdout)).toEqual({
      algorithm: 'md5',
      digest: '5d41402abc4b2a76b9719d911017c592',
      bytes: 5,
    });
    expect(code).toBe(0);
    const { stdout: other } = await user.run(['run', 'steps', '-d', '-'], {
      input: '{"count":1,"intervalMs":1}',
    });
    expect(JSON.parse(other)).toEqual({ steps: 1 });
  });

  it('keeps control sequences from the terminal, and writes nothing outside the folder', async () => {
    const folder = join(user.home, 'safe');
    mkdirSync(folder);
    const { code, stderr, stdout } = await user.run(['run', 'hostile', '-o', 'safe/']);
    expect(code).toBe(0);
    expect(stderr).toContain('\ncleared\ufffd\n');
    expect(stderr).not.toMatch(CONTROL);
    expect(readdirSync(folder).sort()).toEqual(['profile', 'result.json']);
    expect(stdout).toBe('');
    const { stdout: printed } = await user.run(['run', 'hostile']);
    expect(printed).not.toMatch(CONTROL);
    expect(JSON.parse(printed).say).toBe('\u009b31m');
    const one = await user.run(['run', 'hostile', '-o', 'one.txt']);
    expect(one.code).toBe(0);
    expect(readFileSync(join(user.home, 'one.txt'), 'utf8')).toBe('hello');
  });

  it('prints one JSON object per line with --json, and nothing else', async () => {
    const { code, stdout, stderr } = await user.run(['run', 'hostile', '--json']);
    const lines = jsonLines(stdout);
    expect(lines[0]).toMatchObject({ type: 'accepted', name: 'hostile', deduplicated: false });
    const events = lines.filter(({ type }) => type === 'event');
    expect(events.map(({ event }) => event)).toEqual(
      expect.arrayContaining(['waiting', 'active', 'log', 'own']),
    );
    expect(events.at(-1)).toMatchObject({ event: 'completed', data: { jobId: lines[0].id } });
    expect(stdout).not.toMatch(CONTROL);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  it('uses colours only if they are enabled', async () => {
    const args = ['run', 'steps', '-d', '{"count":1,"intervalMs":1}'];
    const forced = await user.run(args, { env: { FORCE_COLOR: '1' } });
    expect(forced.stderr).toContain('\x1b[32mCompleted\x1b[0m');
    const { stderr } = await user.run(args, { env: { NO_COLOR: '1' } });
    expect(stderr).not.toMatch(CONTROL);
  });

  it('passes on the options of the job', async () => {
    const id = (
      await user.run([
        ...[
          'run',
          'steps',
          '-d',
          '{"count":1,"intervalMs":1}',
          '--detach',
          '--delay',
          '1h',
          '--priority',
          '7',
        ],
        ...['--attempts', '4', '--backoff', 'fixed:5s', '--ttl', '2h', '--timeout', '1m', '--keep', '1d'],
        ...['--tag', 'eu', '--tag', 'night', '--metadata', '{"order":7}', '--title', 'Order 7'],
      ])
    ).stdout.trim();
    const { stdout } = await user.run(['ls', '--json', '--tag', 'night']);
    expect(jsonLines(stdout)).toMatchObject([
      { id, state: 'delayed', attempts: 4, tags: ['eu', 'night'], metadata: { order: 7 }, title: 'Order 7' },
    ]);
    const [job] = jsonLines(stdout);
    expect(job.dueAt - job.createdAt).toBe(3_600_000);
    expect(job.expiresAt - job.dueAt).toBe(7_200_000);
    expect((await user.run(['cancel', id])).stdout).toBe(`${id}: cancelled\n`);
  });

  it('starts one job for the same key', async () => {
    const args = ['run', 'steps', '-d', '{"count":1,"intervalMs":1}', '--detach'];
    const key = ['--idempotency-key', 'a key of sixteen characters'.replace(/ /g, '-')];
    const first = await user.run([...args, ...key]);
    const second = await user.run([...args, ...key]);
    expect(first.stdout).toBe(second.stdout);
    const dedup = ['run', 'steered', '-d', '{"turns":"dedup"}', '--deduplication-key', 'sixteen-characters'];
    const one = await user.run([...dedup, '--detach', '--json']);
    const other = await user.run([...dedup, '--detach', '--json']);
    expect(jsonLines(other.stdout)).toEqual([{ ...jsonLines(one.stdout)[0], deduplicated: true }]);
    await headway.connection.lpush('dedup', 'end');
  });

  it('detaches on a stop signal without a terminal, and prints how to continue', async () => {
    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
      ['SIGHUP', 129],
    ] as const) {
      const turns = `detach-${signal}`;
      const run = user.start(['run', 'steered', '-d', JSON.stringify({ turns }), '--url', headway.api.url], {
        env: { HEADWAY_URL: '' },
      });
      await run.printed(/\nrunning\n/);
      run.child.kill(signal);
      const { code: ended, stderr } = await run.end;
      expect(ended).toBe(code);
      const line = capture(stderr, /Watch it again with: headway (.*)\n$/);
      // Another call uses the saved token. The job was not cancelled.
      const watch = user.start(line.split(' '), { env: { HEADWAY_URL: '' } });
      await headway.connection.lpush(turns, 'end');
      const { code: watched, stdout } = await watch.end;
      expect({ watched, result: JSON.parse(stdout) }).toEqual({ watched: 0, result: { attempt: 1 } });
    }
  });

  it('continues after a crash of the API, and says so', async () => {
    const api = await startApi(headway.env);
    const run = user.start(['run', 'steered', '-d', '{"turns":"restart"}', '--url', api.url]);
    await run.printed(/\nrunning\n/);
    await api.kill();
    await run.printed(/Disconnected\. Reconnecting\n/);
    await headway.connection.lpush('restart', 'log while it was away', 'end');
    const again = await startApi({ ...headway.env, PORT: new URL(api.url).port });
    const { code, stderr } = await run.end;
    await again.stop();
    expect(code).toBe(0);
    expect(stderr).toMatch(/Reconnected\nwhile it was away\nCompleted\n$/);
  });

  it('exits silently when the reader closes the pipe', async () => {
    const { stdout, stderr } = await user.shell(
      `headway run steps --json -d '{"count":50,"intervalMs":20}' | head -n 1; echo "\${PIPESTATUS[0]}"`,
    );
    expect(stdout).toMatch(/^\{"type":"accepted".*\}\n141\n$/);
    expect(stderr).toBe('');
  });

  it('works without a state folder', async () => {
    const { code, stderr, stdout } = await user.run(['run', 'steps', '-d', '{"count":1,"intervalMs":1}'], {
      env: { XDG_STATE_HOME: '/dev/null/nowhere' },
    });
    expect(stderr).toMatch(/^warning: could not save the job's token \(E\w+\)/);
    expect({ code, result: JSON.parse(stdout) }).toEqual({ code: 0, result: { steps: 1 } });
  });
});

describe('progress without a terminal', () => {
  const at = (percent: number | null, stage?: string) => ({
    ...{ jobId: 'x', attempt: 1, at: 0, percent },
    ...(stage ? { stage } : {}),
  });

  it('prints a line for each stage and every ten percent, at most one a second', () => {
    const passes = createProgressFilter();
    const lines = [];
    for (let now = 0; now < 100_000; now += 100) if (passes(at(now / 1000), now)) lines.push(now / 1000);
    expect(lines).toEqual([0, 10, 20, 30, 40, 50, 60, 70, 80, 90]);
    const fast = createProgressFilter();
    const times = [];
    for (let now = 0; now <= 2000; now += 10) if (fast(at(now / 20), now)) times.push(now);
    expect(times).toEqual([0, 1000, 2000]);
    const staged = createProgressFilter();
    expect([staged(at(1, 'a'), 0), staged(at(2, 'a'), 5000), staged(at(2, 'b'), 6000)]).toEqual([
      true,
      false,
      true,
    ]);
  });

  it('prints a line every ten seconds for a job with unknown progress', () => {
    const passes = createProgressFilter();
    const lines = [];
    for (let now = 0; now < 30_000; now += 100) if (passes(at(null), now)) lines.push(now);
    expect(lines).toEqual([0, 10_000, 20_000]);
  });
});
