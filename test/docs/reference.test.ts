import { describe, expect, it } from 'vitest';
import { errorCodes } from '../../src/shared/errors.js';
import { jobEvents } from '../../src/shared/jobs/events/job-events.js';
import { page } from '../support/documentation.js';

describe('the reference', () => {
  it('lists every error code with its status and what to do', () => {
    const rows = page('docs/reference/errors.md').matchAll(
      /^\| `([a-z-]+)` \| (\d{3}) \| (.+) \| (.+) \|$/gm,
    );
    const documented = Object.fromEntries(Array.from(rows, ([, code, status]) => [code, Number(status)]));
    expect(documented).toEqual(
      Object.fromEntries(Object.entries(errorCodes).map(([code, [status]]) => [code, status])),
    );
  });

  it('lists every job event that has a schema', () => {
    const [, section] = /^## Events\n([\s\S]*?)^### /m.exec(page('docs/reference/events.md'))!;
    const listed = Array.from(section!.matchAll(/^\| `([a-z]+)` \|/gm), ([, event]) => event);
    expect(listed.sort()).toEqual([...Object.keys(jobEvents), 'reset'].sort());
  });
});
