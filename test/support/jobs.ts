import { createHash } from 'node:crypto';
import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JobDefinition } from '../../src/shared/jobs/definition.js';
import { temporaryFolder } from './folder.js';

/** A job of `test/jobs` with changed settings. `file` is its path there, without `.ts`. */
export interface ChangedJob extends Partial<Omit<JobDefinition, 'input' | 'result' | 'run'>> {
  file: string;
}

const JOBS = join(process.cwd(), 'test', 'jobs');

/**
 * Makes a folder for `JOBS_DIR` with some of the jobs of `test/jobs`. A process runs every job in its folder, so each
 * test has a folder with the jobs that it needs. Each of its files only imports the original, because a copy would not
 * find its own imports.
 */
export function jobsDir(...jobs: Array<string | ChangedJob>): string {
  const sources = jobs.map((job): [string, string] => {
    const { file, ...changes } = typeof job === 'string' ? { file: job } : job;
    const path = JSON.stringify(join(JOBS, `${file}.ts`));
    const name = changes.name ?? file.split('/').at(-1);
    return [
      `${name}.mjs`,
      `import job from ${path};\nexport default { ...job, ...${JSON.stringify(changes)} };\n`,
    ];
  });
  return keepJobs(Object.fromEntries(sources));
}

/** Writes files to a folder whose name depends on their content, so that each of them is compiled only once. */
function keepJobs(files: Record<string, string>): string {
  const hash = createHash('sha256').update(JSON.stringify(files)).digest('hex').slice(0, 32);
  const dir = join(tmpdir(), `headway-test-jobs-${hash}`);
  if (existsSync(dir)) return dir;
  try {
    renameSync(writeJobs(files), dir);
  } catch (error) {
    // Another test has just made the same folder.
    if (!existsSync(dir)) throw error;
  }
  return dir;
}

/**
 * Makes a folder for `JOBS_DIR` from the text of its files. For files that cannot be in the repository, such as those
 * with a syntax error, and for code from the documentation; all other jobs are files of `test/jobs`.
 */
export function writeJobs(files: Record<string, string>): string {
  const dir = temporaryFolder();
  for (const [name, content] of Object.entries(files)) writeFileSync(join(dir, name), content);
  return dir;
}

/** The same job in a thread, with `-thread` after its name. */
export const inThread = (name: string): ChangedJob => ({ file: name, name: `${name}-thread`, thread: true });
