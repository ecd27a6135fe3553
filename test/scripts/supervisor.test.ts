import { afterEach, describe, expect, it } from 'vitest';
import { Supervisor } from '../../scripts/lib/supervisor.mjs';
import { until } from '../support/until.js';

describe('the supervisor', () => {
  let lines: string[] = [];
  let supervisor: Supervisor;
  const create = (): Supervisor => {
    lines = [];
    supervisor = new Supervisor((name: string, line: string) => lines.push(`${name}: ${line}`));
    return supervisor;
  };
  afterEach(() => supervisor.stop('a', 'b', 'c'));
  // Each program is one line, and the programs differ only in what each test is about.
  const node = (script: string): [string, string[]] => [process.execPath, ['-e', script]];
  const stays = (onEnd: string): [string, string[]] =>
    node(
      `process.on('SIGTERM', () => { ${onEnd} }); setInterval(() => {}, 1000); console.log('up'); process.send?.({})`,
    );

  it('prefixes the output of its children', async () => {
    await create().start(
      'a',
      ...node('console.log("one"); console.error("two"); setInterval(() => {}, 1000)'),
    );
    await until('both lines', () => lines.length === 2);
    expect(lines.sort()).toEqual(['a: one', 'a: two']);
  });

  it('restarts a crashed child after a growing delay', async () => {
    await create().start('a', ...node('process.exit(3)'));
    await until('three crashes', () => lines.length >= 3);
    expect(lines.slice(0, 3)).toEqual([
      'a: ended (exit code 3); starts again in 250 ms',
      'a: ended (exit code 3); starts again in 500 ms',
      'a: ended (exit code 3); starts again in 1000 ms',
    ]);
  });

  it('restarts a killed child', async () => {
    await create().start('a', ...stays('process.exit(0)'), { ipc: true });
    const first = supervisor.pid('a')!;
    process.kill(first, 'SIGKILL');
    await until('the child runs again', () => lines.filter((line) => line === 'a: up').length === 2);
    expect(supervisor.pid('a')).not.toBe(first);
    expect(lines).toContain('a: ended (SIGKILL); starts again in 250 ms');
  });

  it('does not restart a child with a wrong configuration', async () => {
    await create().start('a', ...node('process.exit(78)'));
    expect(await supervisor.failed).toBe('a');
    expect(lines).toEqual([]);
  });

  it('stops its children one after the other, in order', async () => {
    create();
    for (const name of ['a', 'b', 'c']) {
      await supervisor.start(name, ...stays("console.log('bye'); process.exit(0)"), { ipc: true });
    }
    await supervisor.stop('b', 'c', 'a');
    expect(lines.filter((line) => line.endsWith('bye'))).toEqual(['b: bye', 'c: bye', 'a: bye']);
    expect(supervisor.pid('a')).toBeUndefined();
  });

  it('kills a child that does not stop in time', async () => {
    await create().start('a', ...stays(''), { ipc: true, graceMs: 100 });
    const pid = supervisor.pid('a')!;
    await supervisor.stop('a');
    expect(lines).toContain('a: did not exit within 100 ms; killed');
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });
});
