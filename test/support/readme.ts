import { readFileSync } from 'node:fs';

const readme = readFileSync('README.md', 'utf8');

/** Returns the code block of the README after `<!-- test: name -->`. */
export function block(name: string): string {
  const found = new RegExp(`<!-- test: ${name} -->\n\`\`\`\\w+\n([^]*?)\`\`\``).exec(readme)?.[1];
  if (!found) throw new Error(`the README has no block ${name}`);
  return found;
}
