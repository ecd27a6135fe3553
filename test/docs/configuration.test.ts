import { describe, expect, it } from 'vitest';
import { renderConfigurationPage } from '../../scripts/lib/configuration-page.mjs';
import { configSchema } from '../../src/shared/process/config.js';
import { page } from '../support/documentation.js';

const PATH = 'docs/operations/configuration.md';

describe(PATH, () => {
  it('is what `npm run docs:configuration` writes', () => {
    expect(page(PATH)).toBe(renderConfigurationPage(page(PATH), configSchema));
  });

  it('has every setting once, with its default and description', () => {
    const rows = Array.from(
      page(PATH).matchAll(/^\| `([A-Z_]+)` \| (.*?) \| (.*) \|$/gm),
      ([, ...row]) => row,
    );
    const expected = Object.entries(configSchema.shape).map(([name, schema]) => {
      const { defaultValue } = schema.def as { defaultValue?: unknown };
      return [name, defaultValue === '' ? '' : `\`${defaultValue}\``, schema.description];
    });
    expect(rows.sort()).toEqual(expected.sort());
  });
});
