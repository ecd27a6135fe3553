import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

/** What the tests of the examples run. */
const tested = ['test/examples', 'test/recipes']
  .flatMap((folder) => readdirSync(folder).map((file) => `${folder}/${file}`))
  .filter((file) => file.endsWith('.ts'))
  .map((file) => readFileSync(file, 'utf8'))
  .join('\n');

describe("the README's examples", () => {
  const rows = Array.from(
    readFileSync('README.md', 'utf8').matchAll(
      /^\| .* \| \[examples\/([a-z-]+)\]\(examples\/\1\) \| (.*) \|$/gm,
    ),
    ([, folder, commands]) => ({ folder: folder!, commands: commands!.match(/`[^`]+`/g)! }),
  );

  it('are all of the folders', () => {
    const folders = readdirSync('examples').filter((name) => existsSync(`examples/${name}/README.md`));
    expect(rows.map(({ folder }) => folder).sort()).toEqual(folders.sort());
  });

  it.each(rows)('have the commands of examples/$folder, which are run', ({ folder, commands }) => {
    const readme = readFileSync(`examples/${folder}/README.md`, 'utf8');
    const named = Array.from(readme.matchAll(/<!-- test: (\w+) -->\n```bash\n([^`]*)\n```/g));
    const own = named.map(([, , command]) => command);
    for (const command of commands) expect(own).toContain(command.slice(1, -1));
    for (const [, name] of named) expect(tested).toContain(`commandOf('${folder}', '${name}')`);
  });
});
