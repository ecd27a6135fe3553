import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Headway, startHeadway } from '../support/headway.js';
import { testJobs } from '../support/jobs.js';
import { temporaryFolder } from '../support/processes.js';
import { openStream } from '../support/sse.js';

const readme = readFileSync('README.md', 'utf8');

/** The code block after `<!-- test: name -->`. */
function block(name: string): string {
  const found = new RegExp(`<!-- test: ${name} -->\n\`\`\`\\w+\n([^]*?)\`\`\``).exec(readme)?.[1];
  if (!found) throw new Error(`the README has no block ${name}`);
  return found;
}

describe('the README', () => {
  let headway: Headway;
  beforeAll(async () => {
    headway = await startHeadway({
      env: { JOBS_DIR: testJobs({ 'greet.ts': block('own-job'), 'greet-all.ts': block('family') }) },
    });
  });
  afterAll(() => headway.stop());

  it('has a walk with curl that works when it is pasted', async () => {
    const script = block('walk').replaceAll('http://127.0.0.1:3000', headway.api.url);
    const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], {
      cwd: temporaryFolder(),
      timeout: 30_000,
    });
    const events = stdout.match(/^event: .*$/gm);
    expect(events?.slice(0, 2)).toEqual(['event: waiting', 'event: active']);
    expect(events?.at(-1)).toBe('event: completed');
    expect(stdout).toContain('"rows":3,"imported":2,"rejected":1');
    expect(stdout).toContain('4,age,not of type integer,unknown');
  });

  it('has a job of ten lines that runs', async () => {
    const job = await headway.client.start('greet', { names: ['Ada', 'Grace'] });
    const { events, ended } = await openStream(headway.client.events(job), { token: job.token });
    await ended;
    expect(events.filter(({ event }) => event === 'log').map(({ data }) => data.message)).toEqual([
      'Hello, Ada',
      'Hello, Grace',
    ]);
    expect(events.at(-1)).toMatchObject({ event: 'completed', data: { result: { greeted: 2 } } });
  });

  it('has a job with children that runs', async () => {
    const job = await headway.client.start('greet-all', { groups: [['Ada'], ['Grace', 'Alan']] });
    const { events, ended } = await openStream(headway.client.events(job), { token: job.token });
    await ended;
    expect(events.at(-1)).toMatchObject({ event: 'completed', data: { result: { greeted: 3 } } });
  });
});
