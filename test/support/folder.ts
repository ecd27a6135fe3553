import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atExit } from './at-exit.js';

const folders = new Set<string>();
atExit(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** Returns the path of a new folder that is removed when the tests end. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'headway-test-'));
  folders.add(folder);
  return folder;
}
