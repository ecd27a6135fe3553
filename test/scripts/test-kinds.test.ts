import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { TEST_KINDS, testFiles } from '../../scripts/lib/test-kinds.mjs';

describe('the kinds of tests', () => {
  it('give each test file exactly one kind', () => {
    const all = readdirSync('test', { recursive: true, encoding: 'utf8' }).filter((path) =>
      path.endsWith('.test.ts'),
    );
    const found = TEST_KINDS.flatMap(testFiles);
    expect(found.sort()).toEqual(all.map((path) => join('test', path)).sort());
  });

  it.each([
    ['unit', 'test/shared/channel/frame.test.ts'],
    ['unit', 'test/faults/campaign/checker.test.ts'],
    ['integration', 'test/shared/channel/channel.test.ts'],
    ['integration', 'test/client/size.test.ts'],
    ['browser', 'test/browser/page.test.ts'],
    ['browser', 'test/examples/html.test.ts'],
    ['faults', 'test/faults/worker.test.ts'],
    ['deploy', 'test/deploy/proxies.test.ts'],
  ])('are found by what a file needs: %s for %s', (kind, file) => {
    expect(testFiles(kind)).toContain(file);
  });
});
