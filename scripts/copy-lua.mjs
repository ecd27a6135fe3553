// tsc leaves the Lua scripts behind: copy them beside the compiled code that loads them.
import { cpSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

for (const room of ['shared', 'api', 'worker']) {
  for (const file of readdirSync(join('src', room), { recursive: true })) {
    if (file.endsWith('.lua')) cpSync(join('src', room, file), join('dist', room, file));
  }
}
