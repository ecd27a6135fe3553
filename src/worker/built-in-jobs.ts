import { fileURLToPath } from 'node:url';

/** The folder of the built-in jobs: Headway's own, and examples. */
export const builtInJobsDir = fileURLToPath(new URL('./jobs', import.meta.url));
