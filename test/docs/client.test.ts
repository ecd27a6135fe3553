import { execFile } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { block } from '../support/documentation.js';
import { temporaryFolder } from '../support/folder.js';
import type { Headway } from '../support/headway.js';
import { borrowHeadway } from '../support/shared-headway.js';

describe('the guide to the client', () => {
  let headway: Headway;
  beforeAll(async () => {
    headway = await borrowHeadway();
  });
  afterAll(() => headway.stop());

  it('starts a job in Node, watches it and prints its result', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(process.cwd(), join(folder, 'node_modules', 'headway'));
    const program = join(folder, 'client.mjs');
    writeFileSync(program, block('client').replace('http://127.0.0.1:3000', headway.api.url));
    const { stdout } = await promisify(execFile)(process.execPath, [program]);
    expect(stdout).toMatch(/^100 %$/m);
    expect(stdout).toMatch(/2 rows\n$/);
  });
});
