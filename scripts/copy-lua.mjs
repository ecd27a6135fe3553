// Copies the Lua scripts beside the compiled code that loads them; tsc does not.
import { cpSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

for (const room of ['shared', 'api', 'worker']) {
  for (const file of readdirSync(join('src', room), { recursive: true })) {
    if (file.endsWith('.lua')) cpSync(join('src', room, file), join('dist', room, file));
  }
}
