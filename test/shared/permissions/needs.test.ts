import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createKeyspace } from '../../../src/shared/keyspace.js';
import { neededCalls, userRules } from '../../../src/shared/permissions/needs.js';
import { block } from '../../support/documentation.js';

const keyspace = createKeyspace('headway');

/** The commands in the Lua scripts of a folder. */
function commandsIn(folder: string): Set<string> {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.lua'),
  );
  expect(files.length).toBeGreaterThan(10);
  return new Set(
    files.flatMap((name) =>
      [...readFileSync(join(folder, name), 'utf8').matchAll(/\b(?:redis\.p?call|rcall)\(\s*["'](\w+)/g)].map(
        ([, command]) => command!.toLowerCase(),
      ),
    ),
  );
}

it.each(['src', 'node_modules/bullmq/dist/esm/commands'])(
  'the list of needed commands has those of the scripts in %s',
  (folder) => {
    const needed = new Set(neededCalls(keyspace).map(({ command }) => command));
    expect([...commandsIn(folder)].filter((command) => !needed.has(command))).toEqual([]);
  },
);

it('the documented rules are those of the list', () => {
  const documented = block('acl-rules').replaceAll('\\\n', ' ').trim().split(/\s+/);
  expect(documented.slice(0, 5)).toEqual(['ACL', 'SETUSER', 'headway', 'on', '>PASSWORD']);
  expect(documented.slice(5)).toEqual(userRules(keyspace));
});
