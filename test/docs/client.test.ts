import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { block } from '../support/documentation.js';
import type { Headway } from '../support/headway.js';
import { packedProject } from '../support/project.js';
import { borrowHeadway } from '../support/shared-headway.js';

describe('the guide to the client', () => {
  let headway: Headway;
  beforeAll(async () => {
    headway = await borrowHeadway();
  });
  afterAll(() => headway.stop());

  it('starts a job in Node, watches it and prints its result', async () => {
    const { folder, write } = packedProject();
    write('client.mjs', block('client').replace('http://127.0.0.1:3000', headway.api.url));
    const { stdout } = await promisify(execFile)(process.execPath, ['client.mjs'], { cwd: folder });
    expect(stdout).toMatch(/^100 %$/m);
    expect(stdout).toMatch(/2 rows\n$/);
  });
});
