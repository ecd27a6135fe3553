import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CliUser, jsonLines } from '../../support/cli.js';
import { ADMIN_TOKEN } from '../../support/dashboard.js';
import { type Headway, startHeadway } from '../../support/headway.js';
import { borrowHeadway } from '../../support/shared-headway.js';

let headway: Headway;
let user: CliUser;
beforeAll(async () => {
  headway = await borrowHeadway();
  user = new CliUser(headway.api.url);
});
afterAll(() => headway.stop());

const startSteered = async (turns: string, who = user): Promise<string> =>
  (await who.run(['run', 'steered', '-d', JSON.stringify({ turns }), '--detach'])).stdout.trim();

describe('headway ls', () => {
  it("lists the user's jobs, by state and kind, as a table or as JSON", async () => {
    const ada = new CliUser(headway.api.url);
    const id = await startSteered('ls', ada);
    await ada.run(['run', 'steps', '-d', '{"count":1,"intervalMs":1}']);
    const { stdout, code } = await ada.run(['ls']);
    expect(code).toBe(0);
    expect(stdout.split('\n').map((line) => line.trim().split(/ {2,}/).slice(0, 2))).toEqual([
      [expect.stringMatching(/^steps\./), 'completed'],
      [id, expect.stringMatching(/active|waiting/)],
      [''],
    ]);
    const { stdout: steps } = await ada.run([
      'ls',
      '--json',
      '-n',
      'steps',
      '-s',
      'completed',
      '-s',
      'failed',
    ]);
    expect(jsonLines(steps)).toMatchObject([{ name: 'steps', state: 'completed' }]);
    // Another user sees none of these jobs, an admin all of them.
    const stranger = new CliUser(headway.api.url);
    expect((await stranger.run(['ls'])).stdout).toBe('');
    const { stdout: all } = await stranger.run(['ls', '--json', '--token', ADMIN_TOKEN]);
    expect(all).toContain(id);
    await headway.connection.lpush('ls', 'end');
  });

  it('fetches pages up to the limit', async () => {
    const many = new CliUser(headway.api.url);
    const ids: string[] = [];
    for (const _ of [1, 2, 3]) {
      const { stdout } = await many.run(['run', 'steps', '-d', '{"count":1,"intervalMs":1}', '--detach']);
      ids.push(stdout.trim());
    }
    const { stdout, stderr } = await many.run(['ls', '--json', '--limit', '2']);
    expect(jsonLines(stdout).map(({ id }) => id)).toEqual(ids.reverse().slice(0, 2));
    expect(stderr).toBe('');
    expect((await many.run(['ls', '-l', '2'])).stderr).toBe('There may be more: --limit 4\n');
    expect(jsonLines((await many.run(['ls', '--json'])).stdout)).toHaveLength(3);
  });
});

describe('headway cancel and retry', () => {
  it('cancel several jobs, and report the one that cannot be cancelled', async () => {
    const ids = [await startSteered('c1'), await startSteered('c2')] as const;
    const { code, stdout, stderr } = await user.run(['cancel', ids[0], 'steps.none', ids[1]]);
    expect(stdout.trim().split('\n')).toEqual(
      ids.map((id) => expect.stringMatching(`^${id}: (cancelled|cancellation requested)$`)),
    );
    expect(stderr).toMatch(/^error: steps\.none: No such job[^\n]*\n$/);
    expect(code).toBe(1);
    const { code: watched, stderr: output } = await user.run(['watch', ids[0]]);
    expect(output).toMatch(/\nCancelled\n$/);
    expect(watched).toBe(1);
  });

  it('retry a failed job under its id, and watch it', async () => {
    const data = '{"failures":1,"permanent":true}';
    const id = (await user.run(['run', 'flaky', '-d', data, '--detach'])).stdout.trim();
    expect((await user.run(['watch', id])).code).toBe(1);
    const { code, stdout } = await user.run(['retry', id, '--watch']);
    expect({ code, result: JSON.parse(stdout) }).toEqual({ code: 0, result: { attempt: 2 } });
    const { code: again, stderr } = await user.run(['retry', id]);
    expect(again).toBe(1);
    expect(stderr).toMatch(/^error: [^\n]+\n$/);
  });
});

describe('headway logs', () => {
  it('prints the log so far, and with -f follows it to the end', async () => {
    const id = await startSteered('logs');
    const follow = user.start(['logs', '-f', id]);
    await headway.connection.lpush('logs', 'log one', 'log \u001b[31mtwo');
    await follow.printed(/^one\ntwo\n$/);
    const { code, stdout } = await user.run(['logs', id]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'one\ntwo\n' });
    await headway.connection.lpush('logs', 'log three', 'end');
    expect(await follow.end).toEqual({ code: 0, stdout: 'one\ntwo\nthree\n', stderr: '' });
    const failing = await startSteered('logs-f');
    const failed = user.run(['logs', '-f', failing]);
    await headway.connection.lpush('logs-f', 'log one', 'fail');
    expect(await failed).toEqual({ code: 1, stdout: 'one\n', stderr: 'Failed: asked to fail\n' });
    expect((await user.run(['logs', '-f', failing])).code).toBe(1);
    expect((await user.run(['logs', failing])).code).toBe(0);
    const cancelled = await startSteered('logs-c');
    await user.run(['cancel', cancelled]);
    expect(await user.run(['logs', '-f', cancelled])).toMatchObject({ code: 1, stderr: 'Cancelled\n' });
    const { stdout: json } = await user.run(['logs', id, '--json']);
    expect(jsonLines(json)).toMatchObject([
      { message: 'one' },
      { message: '\u001b[31mtwo' },
      { message: 'three' },
    ]);
  });

  it('does not wait for a job that keeps reporting', async () => {
    const { stdout: id } = await user.run([
      ...['run', 'steps', '--detach', '-d', '{"count":1000,"intervalMs":50}'],
    ]);
    const { code, stdout } = await user.run(['logs', id.trim()]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: '1000 steps of 50 ms\n' });
    await user.run(['cancel', id.trim()]);
  });
});

describe('headway publish and tail', () => {
  it('publish to several channels that tail prints', async () => {
    const tail = user.start(['tail', 'public.a', 'public.b', '--last', '10']);
    expect((await user.run(['publish', 'public.a', '{"runs": 4}', '-e', 'score'])).stdout).toMatch(
      /^\w+-1\n$/,
    );
    await user.run(['publish', 'public.b', 'two\nlines \u001b[2J']);
    await tail.printed(/public\.a\tscore\t\{"runs":4\}\n/);
    await tail.printed(/public\.b\tmessage\ttwo lines \n/);
    const { stdout } = await user.run(['publish', 'public.a', '-', '--lines'], { input: 'x\ny\n' });
    expect(stdout.trim().split('\n')).toHaveLength(2);
    await tail.printed(/public\.a\tmessage\tx\n(?:.*\n)*public\.a\tmessage\ty\n/);
    tail.child.kill('SIGINT');
    await tail.end;
  });

  it('support ids, states and JSON', async () => {
    const { stdout: id } = await user.run(['publish', 'public.c', '1', '--id', 'ball-7', '--json']);
    expect(jsonLines(id)).toEqual([{ id: expect.stringMatching(/^\w+-1$/) }]);
    for (const value of ['on', 'off'])
      await user.run(['publish', 'public.c', value, '-e', 'lamp', '--state', 'hall']);
    const log = await user.run(['tail', 'public.c', '--json', '--last', '1', '--count', '1']);
    expect(jsonLines(log.stdout)).toMatchObject([{ id: expect.stringMatching(/^\w+-1:ball-7$/), data: 1 }]);
    const { stdout, stderr } = await user.run(['tail', 'public.c', '--json', '--count', '1']);
    expect(jsonLines(stdout)).toMatchObject([{ channel: 'public.c', event: 'lamp', data: 'off' }]);
    expect(stderr).toBe('');
  });

  it('keep text as typed, even if it looks like a number', async () => {
    const typed = [
      '12345678901234567890',
      '1.10',
      '007',
      '"quoted"',
      '{"id":12345678901234567890}',
      'null',
      '[1]',
    ];
    await user.run(['publish', 'public.d', '-', '--lines'], { input: `\ufeff${typed.join('\n')}\n` });
    const { stdout } = await user.run(['tail', 'public.d', '--json', '--last', '9', '--count', '7']);
    expect(jsonLines(stdout).map(({ data }) => data)).toEqual([...typed.slice(0, 5), null, [1]]);
  });

  it('print one line about what is not allowed', async () => {
    for (const args of [
      ['tail', 'secret'],
      ['publish', 'secret', 'x'],
    ]) {
      const { code, stderr } = await user.run(args);
      expect({ code, stderr }).toEqual({
        code: 1,
        stderr: expect.stringMatching(/^error: [^\n]*--token or HEADWAY_TOKEN\.\n$/),
      });
    }
  });
});

describe('headway token', () => {
  it('signs a token that the service accepts', async () => {
    const secret = { TOKEN_SECRET: headway.env.TOKEN_SECRET! };
    const { stdout } = await user.run(
      [
        'token',
        '--sub',
        'ada',
        '--tenant',
        'acme',
        '--subscribe',
        'scores.**',
        '--publish',
        'scores.*',
        '--job',
        'steps',
        '--expires',
        '1h',
      ],
      { env: secret },
    );
    const ada = new CliUser(headway.api.url, { HEADWAY_TOKEN: stdout.trim() });
    expect((await ada.run(['publish', 'scores.x', '4'])).code).toBe(0);
    const data = ['-d', '{"count":1,"intervalMs":1}'];
    expect((await ada.run(['run', 'steps', ...data])).code).toBe(0);
    const { code, stderr } = await ada.run(['run', 'flaky', '-d', '{"failures":0}']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: [^\n]+\n$/);
    // The user sees her own jobs from any machine, and no others.
    const elsewhere = new CliUser(headway.api.url, { HEADWAY_TOKEN: stdout.trim() });
    expect(jsonLines((await elsewhere.run(['ls', '--json'])).stdout)).toMatchObject([{ name: 'steps' }]);
    const admin = await user.run(['token', '--sub', 'root', '--admin'], { env: secret });
    const all = await user.run(['ls', '--json', '--token', admin.stdout.trim()]);
    expect(jsonLines(all.stdout).length).toBeGreaterThan(1);
  });

  it('uses the secret that the service generated, and never generates one', async () => {
    const { code, stderr } = await user.run(['token', '--sub', 'ada'], { env: { DATA_DIR: 'nowhere' } });
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/^error: no secret to sign with: [^\n]*token-secret: ENOENT\)\n$/),
    });
    const own = await startHeadway({ env: { TOKEN_SECRET: '' }, workers: 0 });
    try {
      const { stdout } = await user.run(['token', '--sub', 'ada'], { env: { DATA_DIR: own.env.DATA_DIR! } });
      const { code: listed } = await user.run(['ls', '--url', own.api.url, '--token', stdout.trim()]);
      expect(listed).toBe(0);
      const expired = await user.run(['ls', '--url', headway.api.url, '--token', stdout.trim()]);
      expect(expired.stderr).toMatch(/^error: Invalid token\.[^\n]*\n$/);
    } finally {
      await own.stop();
    }
  });
});

describe('headway keys', () => {
  const admin = (...args: string[]) => user.run(['keys', ...args, '--token', ADMIN_TOKEN]);

  it('creates a working key, lists it without its secret, and revokes it', async () => {
    const made = await admin(
      'make',
      'shop',
      '--publish',
      'orders.*',
      '--subscribe',
      'acme/**',
      '--expires',
      '90d',
    );
    expect(made.code).toBe(0);
    const secret = made.stdout.trim();
    expect(secret).toMatch(/^hwk_/);
    const shop = (...args: string[]) => user.run([...args, '--token', secret]);
    expect((await shop('publish', 'orders.7', '1')).code).toBe(0);
    expect((await shop('publish', 'other', '1')).code).toBe(1);
    const { stdout: list } = await admin('ls');
    expect(list).toMatch(
      /^\w{12} {2}shop .* until \d{4}-\d\d-\d\d {2}subscribe acme\/\*\*, publish orders\.\*$/m,
    );
    expect(list).not.toContain(secret.split('_')[2]);
    const [key] = jsonLines((await admin('ls', '--json')).stdout) as Array<{ id: string }>;
    expect((await admin('revoke', key!.id)).code).toBe(0);
    const refused = await shop('publish', 'orders.7', '1');
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('revoked')]);
    expect((await admin('revoke', key!.id)).code).toBe(1);
  });

  it('requires an admin token, and prints what is wrong', async () => {
    expect((await user.run(['keys', 'ls'])).code).toBe(1);
    const wrong = await admin('make', 'x', '--publish', 'a b');
    expect([wrong.code, wrong.stderr.trim().split('\n').length]).toEqual([2, 1]);
    expect((await user.run(['keys', 'nothing'])).code).toBe(2);
  });
});
