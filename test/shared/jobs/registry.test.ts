import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadRegistry, RegistryError } from '../../../src/shared/jobs/registry.js';
import { builtInJobsDir } from '../../../src/worker/built-in-jobs.js';
import { jobsDir, writeJobs } from '../../support/jobs.js';
import { startWorker, temporaryFolder } from '../../support/processes.js';

/** A folder with job files, and other files that are not job files. */
const OWN_JOBS = fileURLToPath(new URL('./own-jobs', import.meta.url));
const PLAIN = readFileSync(join(OWN_JOBS, 'plain.js'), 'utf8');

describe('the registry', () => {
  it('loads the built-in jobs', async () => {
    expect([...(await loadRegistry([builtInJobsDir])).keys()].sort()).toEqual([
      'checksum',
      'csv-import',
      'image-variant',
      'image-variants',
      'mandelbrot',
      'steps',
      'webhook',
    ]);
  });

  it('loads jobs in TypeScript and JavaScript, and files that they import, from any folder', async () => {
    // A copy, because a folder outside the repository has no node_modules.
    const dir = temporaryFolder();
    cpSync(OWN_JOBS, dir, { recursive: true });
    // In the repository, this file would be one of our own tests.
    writeFileSync(join(dir, 'typed.test.ts'), 'throw new Error("not to be loaded")');
    const registry = await loadRegistry([builtInJobsDir, dir]);
    expect([...registry.keys()]).toEqual(expect.arrayContaining(['typed', 'module', 'plain', 'steps']));
  });

  // Broken on purpose, so these are strings: the compiler and the linter reject such files.
  it.each([
    ['does not parse', 'export default {', /cannot load the job file/],
    ['throws', 'throw new Error("no luck")', /cannot load the job file .*: no luck/],
    [
      'imports a missing package',
      "import 'nowhere'; export default {}",
      /cannot load the job file .*nowhere/,
    ],
    ['exports nothing', 'export const x = 1;', /must default-export a job definition/],
    ['has no schema', PLAIN.replace('input: anything', 'input: {}'), /input: must be a schema/],
    ['has a bad name', PLAIN.replace("'plain'", "'Plain Job'"), /name: must be 1 to 60 lower-case/],
    [
      'has an event with a reserved name',
      PLAIN.replace('run:', 'events: { progress: anything }, run:'),
      /events\.progress: the type "progress" is reserved/,
    ],
    [
      'has an event without a schema',
      PLAIN.replace('run:', 'events: { sold: {} }, run:'),
      /events\.sold: must/,
    ],
    ['has no run', PLAIN.replace('run: async', 'runs: async'), /run/],
    [
      'has a misspelt option in defaults',
      PLAIN.replace('run:', 'defaults: { attempt: 3 }, run:'),
      /defaults/,
    ],
  ])('refuses a file that %s, and names it', async (_what, content, message) => {
    const dir = writeJobs({ 'broken.mjs': content });
    const error = (await loadRegistry([dir]).catch((thrown) => thrown)) as RegistryError;
    expect(error).toBeInstanceOf(RegistryError);
    expect(error.message).toMatch(message);
    expect(error.message).toContain(join(dir, 'broken.mjs'));
    expect(error.message).not.toContain('\n');
  });

  it('rejects a duplicate name, and reports both files', async () => {
    const dir = jobsDir({ file: 'plain', name: 'steps' });
    await expect(loadRegistry([builtInJobsDir, dir])).rejects.toThrow(
      /two jobs are named "steps": .*steps.* and .*steps\.mjs/,
    );
  });

  it('rejects a missing folder', async () => {
    await expect(loadRegistry(['/nowhere/at/all'])).rejects.toThrow(
      /cannot read the job folder \/nowhere\/at\/all: ENOENT/,
    );
  });

  it('makes a process with a broken job exit with code 78 and one line, also after the file was edited', async () => {
    const JOBS_DIR = writeJobs({});
    for (const reason of ['no luck', 'again no luck']) {
      const file = join(JOBS_DIR, 'broken.ts');
      writeFileSync(file, `throw new Error("${reason}")`);
      const error = (await startWorker({ JOBS_DIR }).catch((thrown) => thrown)) as {
        code: number;
        output: string;
      };
      expect(error.code).toBe(78);
      expect(error.output.trim()).toBe(`error: cannot load the job file ${file}: ${reason}`);
      // The compiled file is kept, so the second process had an older one.
      const compiled = readdirSync('node_modules/.cache/headway').filter((name) =>
        name.startsWith(`${basename(JOBS_DIR)}-broken.`),
      );
      expect(compiled).toHaveLength(1);
    }
  });
});
