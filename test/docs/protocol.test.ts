import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { errorCodes } from '../../src/shared/errors.js';
import { jobEvents } from '../../src/shared/jobs/events/job-events.js';

describe('PROTOCOL.md', () => {
  it('lists every error code with its status', () => {
    const rows = readFileSync('PROTOCOL.md', 'utf8').matchAll(/^\| `([a-z-]+)` \| (\d{3}) \| (.*) \|$/gm);
    const documented = Object.fromEntries(
      Array.from(rows, ([, code, status, title]) => [code, [Number(status), title]]),
    );
    expect(documented).toEqual(errorCodes);
  });

  it('lists every event of a job that has a schema', () => {
    const [, section] = /^### Events\n([\s\S]*?)^Data of /m.exec(readFileSync('PROTOCOL.md', 'utf8'))!;
    const listed = Array.from(section!.matchAll(/^\| `([a-z]+)` \|/gm), ([, event]) => event);
    expect(listed.sort()).toEqual([...Object.keys(jobEvents), 'reset'].sort());
  });
});
