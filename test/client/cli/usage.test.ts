import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CliUser } from '../../support/cli.js';
import type { Headway } from '../../support/headway.js';
import { freePort } from '../../support/redis.js';
import { borrowHeadway } from '../../support/shared-headway.js';

let headway: Headway;
let user: CliUser;
beforeAll(async () => {
  headway = await borrowHeadway();
  user = new CliUser(headway.api.url);
  writeFileSync(join(user.home, 'broken.json'), '{"count":');
  writeFileSync(join(user.home, 'latin.json'), Buffer.from('{"name":"M\xfcller"}', 'latin1'));
  writeFileSync(join(user.home, 'a.csv'), 'a\n1\n');
});
afterAll(() => headway.stop());

describe('invalid input', () => {
  it.each([
    [['nonsense'], 2, /unknown command 'nonsense'/],
    [['dev'], 2, /there is nothing to run: give --server, --worker or a command/],
    [['run'], 2, /missing required argument 'name'/],
    [['run', 'steps', '--nonsense'], 2, /unknown option '--nonsense'/],
    [['run', 'stepz'], 2, /unknown kind of job stepz; known kinds: checksum, .*steps/],
    [['run', 'steps', '-d', '{'], 2, /--data is not valid JSON: /],
    [['run', 'steps', '-d', '@nowhere.json'], 2, /--data: cannot read nowhere\.json \(ENOENT\)/],
    [['run', 'steps', '-d', '@broken.json'], 2, /--data is not valid JSON in broken\.json: /],
    [['run', 'steps', '-d', '@latin.json'], 2, /--data: latin\.json is not UTF-8 text/],
    [['run', 'steps', '-d', '-', '--metadata', '-'], 2, /standard input \(-\) can be used only once/],
    [['run', 'steps', '-f', 'a.csv'], 2, /--file: steps takes no files/],
    [['run', 'csv-import', '-f', 'none.csv'], 2, /--file: none\.csv does not exist/],
    [['run', 'csv-import', '-f', 'a.csv', '-f', 'a.csv'], 2, /--file: file is given twice/],
    [['run', 'csv-import', '-f', 'a.csv', '-d', '[]'], 2, /--data must be a JSON object/],
    [['run', 'steps', '-o', 'no/such/place'], 2, /--output: no\/such is not a folder/],
    [['run', 'steps', '--delay', '5'], 2, /argument '5' is invalid\. It must be a time with a unit: 500ms/],
    [['run', 'steps', '--delay', '5s', '--run-at', '2027-01-01T00:00:00Z'], 2, /cannot be used together/],
    [['run', 'steps', '--run-at', 'tomorrow'], 2, /It must be a time with a time zone/],
    [['run', 'steps', '--attempts', '0'], 2, /It must be an integer from 1 to 100/],
    [['run', 'steps', '--backoff', 'often'], 2, /It must be a type and a time/],
    [
      ['run', 'steps', '--detach', '-o', 'x'],
      2,
      /'--detach' cannot be used with option '-o, --output <path>'/,
    ],
    [['run', 'steps', '-d', '{"count":"x"}'], 1, /\/data\/count: .*; \/data\/intervalMs: /],
    [
      ['run', 'steps', '-d', '{"count":1,"intervalMs":1}', '--idempotency-key', 'short'],
      1,
      /Idempotency-Key/,
    ],
    [['watch', 'steps.none'], 1, /No such job/],
    [['logs', 'steps.none'], 1, /No such job/],
    [['ls', '--state', 'lost'], 2, /Allowed choices are waiting, delayed/],
    [['ls', '--from', 'yesterday'], 1, /\/from: must be ms since 1970/],
    [['ls', '--url', 'ftp://x'], 2, /It must be a URL such as http:\/\/127\.0\.0\.1:3000/],
    [['ls', '--token', 'no token'], 2, /It must contain only visible ASCII characters/],
    [['ls', '--token', 'nonsense'], 1, /Invalid token\. Use another token/],
    [['tail', 'a', 'a'], 2, /a channel is given twice/],
    [['publish', 'a', 'text', '--lines'], 2, /--lines requires standard input/],
    [['token'], 2, /required option '--sub <name>' not specified/],
    [['token', '--sub', 'x', '--publish', 'a b'], 2, /It must be a channel name/],
    [['token', '--sub', 'x', '--expires', '1ms'], 2, /lifetime of a token is at least 1 s/],
    [['completion', 'fish'], 2, /Allowed choices are bash, zsh/],
  ])('%j exits with %i and one line', async (args, code, message) => {
    const end = await user.run(args);
    expect(end.stderr).toMatch(message);
    expect(end.stderr).toMatch(/^error: [^\n]+\n(\(Did you mean [^\n]+\)\n)?$/);
    expect({ code: end.code, stdout: end.stdout }).toEqual({ code, stdout: '' });
  });

  it('does not include a byte order mark', async () => {
    writeFileSync(join(user.home, 'bom.json'), '\ufeff{"count":"x"}');
    writeFileSync(join(user.home, 'utf16.json'), Buffer.from('\ufeff{"count":"x"}', 'utf16le'));
    for (const [data, input] of [['@bom.json'], ['@utf16.json'], ['-', '\ufeff{"count":"x"}']] as const) {
      // The JSON was parsed: the service reports what is wrong with it.
      const { stderr } = await user.run(['run', 'steps', '-d', data], { ...(input ? { input } : {}) });
      expect(stderr).toMatch(/\/data\/count: /);
    }
  });

  it('in the environment is reported as well', async () => {
    const { code, stderr } = await user.run(['token', '--sub', 'x'], { env: { TOKEN_SECRET: 'short' } });
    expect({ code, stderr }).toEqual({ code: 2, stderr: 'error: TOKEN_SECRET: must be at least 32 bytes\n' });
    const url = await user.run(['ls'], { env: { HEADWAY_URL: 'nowhere' } });
    expect(url.code).toBe(2);
    expect(url.stderr).toMatch(/'nowhere' from env 'HEADWAY_URL' is invalid/);
  });

  it('in the address is reported at once by every command', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    for (const args of [
      ['run', 'steps'],
      ['watch', 'a.b'],
      ['ls'],
      ['tail', 'a'],
      ['logs', '-f', 'a.b'],
      ['publish', 'a', 'b'],
    ]) {
      const { code, stderr } = await user.run([...args, '--url', url]);
      expect({ code, stderr }).toEqual({
        code: 1,
        stderr: expect.stringMatching(
          /^error: Cannot reach http:[^\n]* \(ECONNREFUSED\)\. Is the service running\?[^\n]*\n$/,
        ),
      });
    }
    const other = createServer((_req, res) => res.end('<h1>Hello</h1>')).listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const address = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    const { code, stderr } = await user.run(['run', 'steps', '--url', address]);
    other.close();
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/^error: http:[^\n]* is not the root of Headway[^\n]*\n$/),
    });
  });

  it('exits with 0 after help, and with 2 without a command', async () => {
    const help = await user.start(['--help']).end;
    expect({ code: help.code, stderr: help.stderr }).toEqual({ code: 0, stderr: '' });
    expect(help.stdout).not.toContain('known-jobs');
    const run = await user.run(['run', '--help']);
    expect(run.stdout).toContain('--idempotency-key <key>');
    expect((await user.start([]).end).code).toBe(2);
  });
});
