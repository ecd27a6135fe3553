import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { errorCodes } from '../../src/shared/errors.js';

describe('PROTOCOL.md', () => {
  it('lists every error code with its status', () => {
    const rows = readFileSync('PROTOCOL.md', 'utf8').matchAll(/^\| `([a-z-]+)` \| (\d{3}) \| (.*) \|$/gm);
    const documented = Object.fromEntries(
      Array.from(rows, ([, code, status, title]) => [code, [Number(status), title]]),
    );
    expect(documented).toEqual(errorCodes);
  });
});
