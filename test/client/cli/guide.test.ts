import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CliUser, capture } from '../../support/cli.js';
import { block, page } from '../../support/documentation.js';
import type { Headway } from '../../support/headway.js';
import { borrowHeadway } from '../../support/shared-headway.js';

describe('the guide to the command line', () => {
  let headway: Headway;
  beforeAll(async () => {
    headway = await borrowHeadway();
  });
  afterAll(() => headway.stop());

  it('contains commands that work when pasted', async () => {
    const user = new CliUser(headway.api.url);
    const { code, stdout, stderr } = await user.shell(
      `set -euo pipefail\n${block('cli').replaceAll('npx headway', 'headway')}`,
    );
    expect(stderr).toContain('Saved imported/people.sqlite');
    for (const line of ['4,age,not of type integer,unknown', '20 steps of 50 ms', 'news\t{"text":"hello"}'])
      expect(`\n${stdout}`).toContain(`\n${line}\n`);
    expect(JSON.parse(stdout.trim().split('\n').at(-1)!)).toMatchObject({
      event: 'completed',
      data: { result: { steps: 2 } },
    });
    expect(code).toBe(0);
  });

  it('mentions every command', async () => {
    const guide = page('docs/guides/cli.md');
    const { stdout } = await new CliUser(headway.api.url).run(['--help']);
    const list = capture(stdout, /Commands:\n([\s\S]*)/);
    const commands = [...list.matchAll(/^ {2}([a-z]+)/gm)].map(([, name = '']) => name);
    expect(commands.length).toBeGreaterThan(10);
    for (const name of commands.filter((other) => other !== 'help'))
      expect(guide).toMatch(new RegExp(`\`${name}[ \`]`));
  });
});
