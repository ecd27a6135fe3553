import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';

/** Suites of channels and jobs that run on one server, and once more on a Cluster of three masters. */
const SUITES = ['test/shared/channel/channel.test.ts', 'test/api/jobs.test.ts'];

it('the suites of channels and jobs pass on a Cluster', async () => {
  const vitest = join(process.cwd(), 'node_modules', 'vitest', 'vitest.mjs');
  const { code, output } = await new Promise<{ code: unknown; output: string }>((resolve) => {
    execFile(
      process.execPath,
      [vitest, 'run', '--maxWorkers=1', ...SUITES],
      { env: { ...process.env, TEST_ON_CLUSTER: '1', NO_COLOR: '1' }, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => resolve({ code: error?.code ?? 0, output: stdout + stderr }),
    );
  });
  expect(output).toMatch(/Test Files {2}2 passed/);
  expect(code).toBe(0);
}, 180_000);
