// tsc leaves the Lua scripts behind: copy them beside the compiled code that loads them.
import { cpSync } from 'node:fs';

cpSync('src/shared', 'dist/shared', {
  recursive: true,
  filter: (source) => !source.endsWith('.ts'),
});
