import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CliUser, capture, jsonLines, screenOf } from '../../support/cli.js';
import type { Headway } from '../../support/headway.js';
import { borrowHeadway } from '../../support/shared-headway.js';

let headway: Headway;
let user: CliUser;
beforeAll(async () => {
  headway = await borrowHeadway();
  user = new CliUser(headway.api.url);
});
afterAll(() => headway.stop());

const turn = (turns: string, ...what: string[]): Promise<number> => headway.connection.lpush(turns, ...what);
const run = (turns: string, columns?: number, env?: Record<string, string>) =>
  user.terminal(['run', 'steered', '-d', JSON.stringify({ turns })], columns, env);
/** The state of the job shown in a terminal. */
async function stateOf(shown: string): Promise<string> {
  const id = capture(shown, /(steered\.[0-9a-f-]{36})/);
  const { stdout } = await user.run(['ls', '--json', '-n', 'steered']);
  return jsonLines(stdout).find((job) => job.id === id).state;
}

describe('headway run in a terminal', () => {
  it("draws a bar in the last line, with the job's log above it", async () => {
    const cli = run('bar', 60);
    await turn('bar', '{"current":40,"total":100,"unit":"rows"}');
    await cli.printed(/█.*░.* {2}40% {2}40\/100 rows/);
    await turn('bar', 'log \u001b[2Jhello 日本語');
    await cli.printed(/hello/);
    await turn('bar', '{"current":90,"total":100,"unit":"rows"}');
    await cli.printed(/ {2}90% /);
    await turn('bar', 'end');
    const { code, stdout } = await cli.end;
    const screen = screenOf(stdout);
    const logLine = screen.indexOf('hello 日本語');
    expect(logLine).toBeGreaterThan(0);
    expect(screen.slice(logLine + 1).join('\n')).toMatch(
      /^█+░+ {2,}\d+% .*\nCompleted\n\{\n {2}"attempt": 1\n\}/,
    );
    // The only control sequence is that of the live line: none comes from the job.
    expect(stdout).not.toContain('\x1b[2J');
    expect(code).toBe(0);
  });

  it('fits into a narrow terminal', async () => {
    const cli = run('narrow', 20);
    await turn('narrow', '{"current":40,"total":100,"unit":"rows","message":"日本語日本語日本語"}');
    await cli.printed(/40%/);
    await turn('narrow', 'end');
    const { stdout } = await cli.end;
    const drawn = stdout
      .split('\r\x1b[K')
      .slice(1)
      .map((line) => screenOf(line)[0] ?? '');
    expect(drawn.some((line) => line.includes('40%'))).toBe(true);
    for (const line of drawn.filter((text) => text.includes('%'))) expect(line.length).toBeLessThan(20);
  });

  it('asks on Ctrl-C: c cancels the job, and the exit code is 130', async () => {
    const cli = run('cancel');
    await cli.printed(/running/);
    cli.type('\u0003');
    await cli.printed(/\[c\]ancel, \[d\]etach, Enter to keep watching/);
    cli.type('c');
    await cli.printed(/Cancelling/);
    const { code, stdout } = await cli.end;
    expect(code).toBe(130);
    expect(screenOf(stdout)).toContain('Cancelled');
    expect(await stateOf(stdout)).toBe('cancelled');
  });

  it('asks on Ctrl-C: Enter keeps watching, and the job continues', async () => {
    const cli = run('goon');
    await cli.printed(/running/);
    cli.type('\u0003');
    await cli.printed(/Enter to keep watching/);
    cli.type('x');
    cli.type('\r');
    await turn('goon', '55');
    await cli.printed(/55%/);
    await turn('goon', 'end');
    expect((await cli.end).code).toBe(0);
  });

  it('detaches on the second Ctrl-C, and the job continues', async () => {
    const cli = run('twice');
    await cli.printed(/running/);
    cli.type('\u0003');
    await cli.printed(/Enter to keep watching/);
    cli.type('\u0003');
    const { code, stdout } = await cli.end;
    expect(code).toBe(130);
    const id = capture(stdout, /Watch it again with: headway watch (\S+)/);
    await turn('twice', 'end');
    const { code: watched, stdout: result } = await user.run(['watch', id]);
    expect({ watched, result: JSON.parse(result) }).toEqual({ watched: 0, result: { attempt: 1 } });
  });

  it('exits when the job ends during the question', async () => {
    const cli = run('ends');
    await cli.printed(/running/);
    cli.type('\u0003');
    await cli.printed(/Enter to keep watching/);
    await turn('ends', 'end');
    expect((await cli.end).code).toBe(0);
  });

  it('prints plain lines in a build (CI) and on a dumb terminal, and no colours with NO_COLOR', async () => {
    for (const [name, value] of [
      ['CI', 'true'],
      ['TERM', 'dumb'],
    ] as const) {
      const turns = `plain-${name}`;
      const cli = run(turns, 80, { NO_COLOR: '1', [name]: value });
      await turn(turns, '50', 'end');
      const { code, stdout } = await cli.end;
      expect(stdout).not.toContain('\x1b');
      expect(code).toBe(0);
    }
    const cli = run('nocolor', 80, { NO_COLOR: '1' });
    await turn('nocolor', '50', 'end');
    const { stdout } = await cli.end;
    expect(stdout).toContain('Completed');
    // The live line is drawn without colours, too.
    expect(stdout.replaceAll('\r\x1b[K', '')).not.toContain('\x1b');
  });

  it('detaches from watch on Ctrl-C without a question', async () => {
    const { stdout } = await user.run(['run', 'steered', '-d', '{"turns":"watched"}', '--detach']);
    const cli = user.terminal(['watch', stdout.trim()]);
    await cli.printed(/running/);
    cli.type('\u0003');
    const { code, stdout: shown } = await cli.end;
    expect(code).toBe(130);
    expect(shown).not.toContain('[d]etach');
    expect(shown).toContain('The job continues');
    expect(await stateOf(shown)).toBe('active');
    await turn('watched', 'end');
  });
});
