import { fileURLToPath } from 'node:url';

/** The folder of the built-in jobs: internal ones and examples. */
export const builtInJobsDir = fileURLToPath(new URL('./jobs', import.meta.url));
