import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findProgram } from '../../../scripts/lib/command.mjs';
import { CliUser } from '../../support/cli.js';
import type { Headway } from '../../support/headway.js';
import { borrowHeadway } from '../../support/shared-headway.js';

let headway: Headway;
let user: CliUser;
beforeAll(async () => {
  headway = await borrowHeadway();
  user = new CliUser(headway.api.url);
});
afterAll(() => headway.stop());

/** Bash's suggestions for the last word of each line. */
async function completeInBash(...lines: string[][]): Promise<string[][]> {
  const completed = lines.map((words) => {
    const list = words.map((word) => `'${word}'`).join(' ');
    return `COMPREPLY=(); COMP_WORDS=(${list}); COMP_CWORD=${words.length - 1}; _headway; printf '%s\\n' "\${COMPREPLY[@]}" =`;
  });
  const { stdout, stderr } = await user.shell(`source <(headway completion bash); ${completed.join('; ')}`);
  expect(stderr).toBe('');
  return stdout
    .split('=\n')
    .slice(0, -1)
    .map((text) => text.split('\n').filter(Boolean));
}

describe('completion', () => {
  it('completes commands, options and their values in bash', async () => {
    writeFileSync(join(user.home, 'people.csv'), '');
    const [w, all, option, state, limit, shell, file] = await completeInBash(
      ['headway', 'w'],
      ['headway', ''],
      ['headway', 'run', 'steps', '--id'],
      ['headway', 'ls', '--state', 'comp'],
      ['headway', 'ls', '--limit', ''],
      ['headway', 'completion', 'z'],
      ['headway', 'run', 'csv-import', '--file', 'peo'],
    );
    expect(w).toEqual(['watch']);
    expect(all).toEqual(expect.arrayContaining(['run', 'ls', 'doctor']));
    expect(all).not.toContain('known-jobs');
    expect(option).toEqual(['--idempotency-key']);
    expect(state).toEqual(['completed']);
    expect(limit).toEqual([]);
    expect(shell).toEqual(['zsh']);
    expect(file).toEqual(['people.csv']);
  });

  it('completes the jobs started on this machine in bash', async () => {
    const { stdout } = await user.run(['run', 'steps', '-d', '{"count":1,"intervalMs":1}', '--detach']);
    expect(await completeInBash(['headway', 'watch', 'steps.'])).toEqual([[stdout.trim()]]);
  });

  it.skipIf(!findProgram('zsh'))('is a script that zsh can load', async () => {
    const { stdout } = await user.run(['completion', 'zsh']);
    const { status, stderr } = spawnSync(
      'zsh',
      ['-f', '-c', `autoload -U compinit; compinit -D; ${stdout}\nwhich _headway`],
      {
        encoding: 'utf8',
        env: user.env,
      },
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it('lists each command with its quoted options for zsh', async () => {
    const { stdout } = await user.run(['completion', 'zsh']);
    expect(stdout).toMatch(/^#compdef headway\n/);
    expect(stdout).toContain("'*--attempts[maximum attempts]:value: '");
    expect(stdout).toMatch(/\n {4}watch\) _arguments .*'\*:job:_headway_jobs' ;;/);
    // If all quotes are in pairs, bash can parse the script too.
    expect(stdout.replaceAll("'\\''", '').split("'").length % 2).toBe(1);
  });
});
