import { describe, expect, it } from 'vitest';
import { block, markdownFiles, page } from '../support/documentation.js';

const readme = page('README.md');

describe('README.md', () => {
  it('has at most 1,200 words', () => {
    expect(readme.split(/\s+/).filter(Boolean).length).toBeLessThanOrEqual(1200);
  });

  it('shows only lines of the Express example that its files contain', () => {
    const [, section] = /^## Add it to your Express app\n([\s\S]*?)^## /m.exec(readme)!;
    const shown = Array.from(
      section!.matchAll(/^((?:const|app)\b.*?);? *(?:\/\/.*)?$/gm),
      ([, code]) => code!,
    );
    expect(shown.length).toBe(3);
    const files = `${block('express-worker')}${block('express-server')}`;
    for (const code of shown) expect(files).toContain(code);
  });
});

describe('the guides', () => {
  it.each(markdownFiles('docs/guides'))(
    '%s begins with an example or a command within its first screen',
    (path) => {
      const intro = page(path).split('\n').slice(0, 8).join('\n');
      expect(intro).toMatch(/```|Open `|<!-- test: /);
    },
  );
});
